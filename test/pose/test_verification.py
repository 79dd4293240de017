"""Scores of right and wrong poses on maps that are known."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from pose.synthetic import HEIGHT, WIDTH, problem_of, random_pixels, random_view, with_outliers
from torch import Tensor

from dense_reloc_ros.method_configuration import NreConfiguration
from dense_reloc_ros.pose.problem import PoseProblem, fine_maps_of
from dense_reloc_ros.pose.verification import Verification, verify

WINDOW = NreConfiguration().window


def verification_of(problem: PoseProblem, T_camera_map: Tensor) -> Verification:
    return verify(problem, fine_maps_of(problem, T_camera_map, WINDOW), [(WIDTH, HEIGHT)])


@pytest.mark.parametrize("outliers", [0.0, 0.5, 0.8])
def test_the_right_pose_scores_higher_than_wrong_ones(outliers):
    view = random_view(200, 0)
    problem = with_outliers(view, outliers, "wrong", seed=0)
    right = verification_of(problem, view.T_camera_map).score
    wrong = [verification_of(problem, view.moved(0.5, 10.0, seed=k)).score for k in range(5)]
    wrong += [verification_of(problem, random_view(1, k).T_camera_map).score for k in range(5)]
    assert 0.0 <= min(wrong) <= max(wrong) < 0.6 * right
    assert right <= 1.0


def test_the_supporting_points_are_those_whose_maps_agree():
    view = random_view(200, 1)
    is_right = torch.arange(200) % 3 == 0
    wrong = (view.pixels + torch.tensor([160.0, 120.0])) % torch.tensor([WIDTH, HEIGHT])
    problem = problem_of(view.points, (torch.where(is_right[:, None], view.pixels, wrong), 1.0))
    verification = verification_of(problem, view.T_camera_map)
    assert verification.visible == 200
    assert not (verification.supporting & ~is_right).any()
    assert (verification.supporting & is_right).sum() > 0.9 * is_right.sum()


def test_points_outside_of_the_image_are_not_expected_to_be_seen():
    view = random_view(100, 2)
    problem = problem_of(view.points, (view.pixels, 1.0))
    left_half = view.pixels[:, 0] <= WIDTH / 2 - 1
    verification = verify(
        problem, fine_maps_of(problem, view.T_camera_map, WINDOW), [(WIDTH // 2, HEIGHT)]
    )
    assert verification.visible == int(left_half.sum())
    assert not verification.supporting[~left_half].any()
    whole = verification_of(problem, view.T_camera_map)
    assert verification.score == pytest.approx(whole.score, rel=0.1)


def test_gains_are_large_where_the_maps_agree_and_none_far_away():
    view = random_view(50, 3)
    verification = verification_of(problem_of(view.points, (view.pixels, 1.0)), view.T_camera_map)
    assert verification.inside.all()
    assert 0.7 < verification.gains.min() <= verification.gains.max() < 1.0
    away = verification_of(
        problem_of(view.points, (view.pixels, 1.0)), view.moved(0.5, 10.0, seed=0)
    )
    assert (away.gains == 0).float().mean() > 0.8


def support_by(seen: Tensor, seed: int) -> float:
    """The score of the true pose when some points have good maps and the others no opinion."""
    view = random_view(len(seen), seed)
    pixels = torch.where(seen[:, None], view.pixels, torch.nan)
    return verification_of(problem_of(view.points, (pixels, 1.0)), view.T_camera_map).score


def test_less_support_and_support_in_one_place_score_lower():
    view = random_view(400, 3)
    in_one_place = ((view.pixels - torch.tensor([100.0, 80.0])).abs() < 35).all(-1)
    count = int(in_one_place.sum())
    assert 15 < count < 40
    anywhere = torch.randperm(400, generator=torch.Generator().manual_seed(0))
    everything = support_by(anywhere < 400, 3)
    half = support_by(anywhere < 200, 3)
    spread = support_by(anywhere < count, 3)
    clustered = support_by(in_one_place, 3)
    assert everything > half > spread > clustered > 0


def test_a_pose_that_sees_nothing_scores_nothing():
    view = random_view(50, 4)
    problem = problem_of(view.points, (view.pixels, 1.0))
    backwards = torch.diag(torch.tensor([-1.0, 1.0, -1.0, 1.0])) @ view.T_camera_map
    verification = verification_of(problem, backwards)
    assert (verification.visible, verification.score) == (0, 0.0)
    assert not verification.supporting.any()


def test_maps_without_an_opinion_support_no_pose():
    view = random_view(100, 5)
    problem = problem_of(view.points, (torch.full((100, 2), torch.nan), 1.0))
    verification = verification_of(problem, view.T_camera_map)
    assert verification.score < 0.05
    assert not verification.supporting.any()


def test_random_maps_support_poses_little():
    view = random_view(300, 6)
    problem = problem_of(view.points, (random_pixels(300, 6), 1.0))
    scores = [verification_of(problem, view.moved(0.1, 1.0, seed=k)).score for k in range(10)]
    assert np.max(scores) < 0.25
