"""The whole NRE estimator on maps most of which mislead it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from pose.synthetic import (
    INTRINSICS,
    View,
    problem_of,
    random_pixels,
    random_view,
    with_outliers,
)

from dense_reloc_ros.geometry.projection import project
from dense_reloc_ros.method_configuration import NreConfiguration
from dense_reloc_ros.pose import nre
from dense_reloc_ros.pose.msac import sample_poses
from dense_reloc_ros.pose.nre import (
    coarse_poses,
    estimate_nre,
    estimate_nre_coarse,
    initial_poses,
    samples_needed,
)
from dense_reloc_ros.pose.problem import FoundPose, PoseProblem

DEFAULT = NreConfiguration(least_support=0)
"""Which gives up no place, whatever RE finds there."""


def assert_close_to_truth(found: FoundPose | None, view: View) -> None:
    """Within half a fine cell at the points' distance; the next minimum is much further away."""
    assert found is not None
    error = view.error(found.T_camera_map)
    assert error.translation < 0.03
    assert np.degrees(error.rotation) < 0.4


@pytest.mark.parametrize("kind", ["uniform", "wrong"])
@pytest.mark.parametrize("seed", range(5))
def test_the_truth_is_found_when_four_of_five_maps_are_useless(kind, seed):
    view = random_view(250, seed)
    problem = with_outliers(view, 0.8, kind, seed)
    found = estimate_nre(problem, DEFAULT)
    assert_close_to_truth(found, view)
    supporting = found.gains(problem) > 0.3 * found.fine_maps.outlier_loss
    assert 0.9 * 50 <= supporting.sum() <= 1.2 * 50


def test_a_place_where_little_supports_the_first_pose_is_given_up_before_coarse_maps(monkeypatch):
    view = random_view(250, 0)
    hopeless = with_outliers(view, 1.0, "wrong", 0)
    searched = []

    def search(*arguments):
        searched.append(arguments)
        return coarse_poses(*arguments)

    monkeypatch.setattr(nre, "coarse_poses", search)
    estimate_nre(hopeless, NreConfiguration())
    assert not searched
    estimate_nre(hopeless, DEFAULT)
    assert len(searched) == 1
    assert_close_to_truth(
        estimate_nre(with_outliers(view, 0.3, "wrong", 0), NreConfiguration()), view
    )


def test_fine_maps_make_the_coarse_pose_more_exact():
    coarse, fine = [], []
    for seed in range(5):
        view = random_view(250, seed)
        problem = with_outliers(view, 0.5, "uniform", seed)
        for estimate, errors in ((estimate_nre_coarse, coarse), (estimate_nre, fine)):
            errors.append(view.error(estimate(problem, DEFAULT).T_camera_map).translation)
    assert max(coarse) < 0.2
    assert np.mean(fine) < 0.7 * np.mean(coarse)


@pytest.mark.parametrize("seed", range(3))
def test_second_modes_count(seed):
    """Most maps prefer a wrong place, but all give the right one a chance."""
    view = random_view(250, seed)
    generator = torch.Generator().manual_seed(seed)
    is_misled = torch.rand(250, generator=generator) < 0.85
    stronger = torch.where(is_misled, 1.0, 0.8)
    problem = problem_of(
        view.points, (view.pixels, 1.8 - stronger), (random_pixels(250, seed + 100), stronger)
    )
    found = estimate_nre(problem, DEFAULT)
    assert_close_to_truth(found, view)
    assert (found.gains(problem) > 0).double().mean() > 0.9


def test_a_prior_helps_where_sampling_fails():
    view = random_view(100, 7)
    problem = problem_of(view.points, (view.pixels, 0.7), (random_pixels(100, 8), 1.0))
    one_sample = NreConfiguration(samples=1)
    alone = estimate_nre(problem, one_sample)
    assert view.error(alone.T_camera_map).translation > 0.1
    assert_close_to_truth(estimate_nre(problem, one_sample, view.moved(0.1, 2.0)), view)


def test_a_wrong_prior_does_no_harm():
    view = random_view(250, 9)
    problem = with_outliers(view, 0.5, "wrong", 9)
    assert_close_to_truth(estimate_nre(problem, DEFAULT, view.moved(2.0, 60.0)), view)


def test_the_same_problem_has_the_same_answer():
    problem = with_outliers(random_view(100, 10), 0.5, "wrong", 10)
    one, two = (estimate_nre(problem, DEFAULT).T_camera_map for _ in range(2))
    torch.testing.assert_close(one, two, rtol=0, atol=0)


def test_few_samples_and_starts_are_allowed():
    view = random_view(100, 11)
    smallest = NreConfiguration(
        samples=1, refined_samples=1, refined_fine=1, sigma_steps=1, iterations=1, window=4
    )
    assert estimate_nre(with_outliers(view, 0.0, "wrong", 11), smallest) is not None


def test_points_behind_the_true_camera_do_no_harm():
    view = random_view(200, 12)
    pixels = torch.where(torch.arange(200)[:, None] < 60, random_pixels(200, 13), view.pixels)
    problem = problem_of(view.points, (pixels, 1.0))
    in_camera = view.points @ view.T_camera_map[:3, :3].T + view.T_camera_map[:3, 3]
    in_camera[:60, 2] *= -1
    points = (in_camera - view.T_camera_map[:3, 3]) @ view.T_camera_map[:3, :3]
    assert_close_to_truth(estimate_nre(replace(problem, points=points), DEFAULT), view)


@pytest.mark.parametrize("count", [0, 2])
def test_too_few_points_give_no_pose(count):
    view = random_view(20, 14)
    problem = problem_of(view.points, (view.pixels, 1.0)).select(torch.arange(count))
    assert estimate_nre(problem, DEFAULT) is None


def test_maps_that_are_truncated_everywhere_give_no_pose():
    view = random_view(20, 15)
    problem = problem_of(view.points, (view.pixels, 1.0))
    hopeless = torch.full_like(problem.log_coarse, -torch.inf)
    assert estimate_nre(replace(problem, log_coarse=hopeless), DEFAULT) is None


@pytest.mark.parametrize("support", [0.1, 0.25, 0.5, 0.8])
def test_samples_are_the_fewest_that_miss_supporting_maps_once_in_ten_thousand(support):
    count = samples_needed(support, 100_000)
    assert (1 - support**3) ** count <= 1e-4 < (1 - support**3) ** (count - 1)
    assert samples_needed(support, count - 1) == count - 1


def test_samples_are_the_most_where_nothing_supports_and_a_few_where_everything_does():
    assert samples_needed(0.0, 384) == 384
    assert 1 <= samples_needed(1.0, 384) <= 3


@pytest.mark.parametrize(("wrong", "least", "most"), [(0.0, 1, 5), (0.5, 30, 150), (0.9, 384, 384)])
def test_the_more_maps_agree_the_fewer_triplets_are_drawn(wrong, least, most, monkeypatch):
    """With the best pose known so far: a wrong prior changes nothing."""
    drawn = []

    def spy(maps, points, intrinsics, samples, generator):
        drawn.append(samples)
        return sample_poses(maps, points, intrinsics, samples, generator)

    monkeypatch.setattr(nre, "sample_poses", spy)
    view = random_view(250, 16)
    problem = with_outliers(view, wrong, "wrong", 16)
    for prior in (None, view.moved(2.0, 60.0)):
        assert view.error(coarse_poses(problem, DEFAULT, prior)[0]).translation < 0.3
    assert len(drawn) == 2
    assert all(least <= samples <= most for samples in drawn)


def torn(share: float) -> tuple[View, torch.Tensor, PoseProblem]:
    """A share of the maps agrees on another pose 1 m beside the true one, which comes second."""
    view = random_view(250, 0)
    other = view.moved(1.0, 5.0)
    elsewhere = project(other[None], view.points, INTRINSICS)[0][0]
    is_misled = torch.rand(250, generator=torch.Generator().manual_seed(0)) < share
    pixels = torch.where(is_misled[:, None], elsewhere, view.pixels)
    return view, other, problem_of(view.points, (pixels, 1.0))


def is_among(starts: torch.Tensor, pose: torch.Tensor) -> bool:
    return bool(((starts - pose).abs().amax((1, 2)) < 0.05).any())


def test_another_pose_that_explains_nearly_as_much_is_refined_too():
    view, other, problem = torn(0.4)
    starts = initial_poses(problem, problem.coarse_maps, DEFAULT, None)
    assert is_among(starts, view.T_camera_map)
    assert is_among(starts, other)


def test_starts_that_explain_much_less_than_the_best_are_not_refined():
    view, other, problem = torn(0.2)
    starts = initial_poses(problem, problem.coarse_maps, DEFAULT, other)
    assert is_among(starts, view.T_camera_map)
    assert not is_among(starts, other)


def test_nothing_is_sampled_where_the_points_in_sight_agree_with_the_best_pixels(monkeypatch):
    monkeypatch.setattr(nre, "sample_poses", None)
    view = random_view(250, 17)
    assert_close_to_truth(estimate_nre(with_outliers(view, 0.3, "uniform", 17), DEFAULT), view)


@pytest.mark.parametrize("seed", range(3))
def test_fine_maps_decide_between_poses_that_coarse_maps_take_for_another(seed):
    """Most coarse maps prefer a pose 0.5 m beside the true one; fine maps see only the true one."""
    view = random_view(250, seed)
    elsewhere = project(view.moved(0.5, 3.0, seed)[None], view.points, INTRINSICS)[0][0]
    wrong = random_pixels(250, seed + 100)
    is_misled = torch.rand(250, generator=torch.Generator().manual_seed(seed)) < 0.7
    pixels = torch.where(is_misled[:, None], elsewhere, view.pixels)
    coarse = problem_of(view.points, (pixels, 1.0))
    fine = problem_of(view.points, (torch.where(is_misled[:, None], wrong, view.pixels), 1.0))
    problem = replace(coarse, fine_descriptors=fine.fine_descriptors)
    misled = view.error(estimate_nre_coarse(problem, DEFAULT).T_camera_map)
    assert misled.translation > 0.3
    assert_close_to_truth(estimate_nre(problem, DEFAULT), view)
