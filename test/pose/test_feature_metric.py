"""Feature-PnP: its derivatives, where it converges to, and on what."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
from pose.synthetic import (
    FINE_LENGTH,
    HEIGHT,
    INTRINSICS,
    WIDTH,
    View,
    code_level,
    position_code,
    problem_of,
    random_pixels,
    random_view,
)
from torch import Tensor

from dense_reloc_ros.features.extractor import FeatureLevel
from dense_reloc_ros.geometry.projection import project
from dense_reloc_ros.geometry.se3 import exp
from dense_reloc_ros.method_configuration import FeatureMetricConfiguration
from dense_reloc_ros.pose.feature_gradients import FeatureGradients
from dense_reloc_ros.pose.feature_metric import (
    feature_metric_cost,
    refine,
    refine_by_features,
    refine_by_tensors,
)
from dense_reloc_ros.pose.levenberg_marquardt import QuadraticModel
from dense_reloc_ros.pose.problem import fine_maps_of
from dense_reloc_ros.pose.robust_losses import ROBUST_LOSSES

SMOOTH = 24.0
"""Pixels over which features change that central differences describe well."""
FINE = FeatureMetricConfiguration(levels=("fine",))


def bilinear_level() -> FeatureLevel:
    """Features a + b x + c y + d x y, which bilinear samples are, and their differences, too."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[-1:1:60j, -1:1:80j]
    terms = np.stack([np.ones_like(x), x, y, x * y])
    values = np.einsum("ct,thw->chw", rng.normal(size=(6, 4)), terms)
    return FeatureLevel(4, 1.5, torch.from_numpy(values)[None])


def inner_view(count: int, seed: int) -> View:
    """Without the points at the border, where differences are halved."""
    view = random_view(count, seed, torch.float64)
    inner = ((view.pixels > 16) & (view.pixels < torch.tensor([WIDTH, HEIGHT]) - 17)).all(-1)
    return View(view.points[inner], view.pixels[inner], view.T_camera_map)


def slow_cost(poses: Tensor, view: View, descriptors: Tensor, level: FeatureLevel, loss, scale):
    """By torch's own bilinear interpolation, so that autograd can differentiate it."""
    pixels, _ = project(poses, view.points, INTRINSICS.double())
    residuals = [level.sample(p) - descriptors for p in pixels]
    squares = torch.stack(residuals).square().sum(-1)
    return loss(squares / scale**2).loss.sum(-1)


@pytest.mark.parametrize("name", ROBUST_LOSSES)
def test_the_gradient_is_that_of_the_sampled_features(name):
    view, level = inner_view(25, 0), bilinear_level()
    generator = torch.Generator().manual_seed(0)
    count = len(view.points)
    descriptors = torch.randn(count, 6, generator=generator, dtype=torch.float64)
    descriptors = torch.nn.functional.normalize(descriptors, dim=-1)
    poses = torch.stack([view.T_camera_map, view.moved(0.01, 0.3), view.moved(0.02, 0.1, 1)])
    loss, scale = ROBUST_LOSSES[name], 0.7
    model = feature_metric_cost(
        poses,
        view.points,
        INTRINSICS.double(),
        descriptors,
        FeatureGradients.of(level, "central"),
        loss,
        scale,
    )
    twists = torch.zeros(3, 6, dtype=torch.float64, requires_grad=True)
    cost = slow_cost(exp(twists) @ poses, view, descriptors, level, loss, scale)
    (gradient,) = torch.autograd.grad(cost.sum(), twists)
    torch.testing.assert_close(model.cost, cost.detach())
    torch.testing.assert_close(model.gradient, gradient)


def test_the_hessian_is_that_of_gauss_and_newton():
    """J'J of all residuals, stacked, weighted by the loss."""
    view, level = inner_view(20, 1), bilinear_level()
    descriptors = torch.nn.functional.normalize(level.sample(view.pixels + 6), dim=-1)
    pose, scale = view.moved(0.01, 0.3), 0.5

    def residuals(twist: Tensor) -> Tensor:
        pixels, _ = project(exp(twist[None]) @ pose, view.points, INTRINSICS.double())
        return level.sample(pixels[0]) - descriptors

    zero = torch.zeros(6, dtype=torch.float64)
    jacobian = torch.autograd.functional.jacobian(residuals, zero)
    squares = residuals(zero).square().sum(-1)
    weights = ROBUST_LOSSES["cauchy"](squares / scale**2).weight * 2 / scale**2
    expected = torch.einsum("m,mci,mcj->ij", weights, jacobian, jacobian)
    model = feature_metric_cost(
        pose[None],
        view.points,
        INTRINSICS.double(),
        descriptors,
        FeatureGradients.of(level, "central"),
        ROBUST_LOSSES["cauchy"],
        scale,
    )
    torch.testing.assert_close(model.hessian[0], expected)


def test_the_gradient_is_near_numerical_differences_on_smooth_features():
    view = random_view(60, 2, torch.float64)
    level = code_level(4, SMOOTH)
    level = replace(level, values=level.values.double())
    descriptors = position_code(view.pixels, SMOOTH)
    cost = partial(
        feature_metric_cost,
        points=view.points,
        intrinsics=INTRINSICS.double(),
        descriptors=descriptors,
        features=FeatureGradients.of(level, "central"),
        loss=ROBUST_LOSSES["geman_mcclure"],
        scale=0.5,
    )
    pose = view.moved(0.05, 1.0)[None]
    # Differences over less than a cell would show its own slope instead of the feature's.
    steps = 2e-3 * torch.eye(6, dtype=torch.float64)
    numerical = (cost(exp(steps) @ pose).cost - cost(exp(-steps) @ pose).cost) / 4e-3
    torch.testing.assert_close(cost(pose).gradient[0], numerical, rtol=0.05, atol=0.5)


@pytest.mark.parametrize("loss", ROBUST_LOSSES)
def test_it_converges_to_the_truth(loss):
    view = random_view(80, 3)
    starts = torch.stack([view.moved(0.06, 1.0, seed) for seed in range(6)])
    options = FeatureMetricConfiguration(loss=loss, iterations=30)
    descriptors = position_code(view.pixels, SMOOTH)
    refined = refine(starts, view.points, INTRINSICS, descriptors, code_level(4, SMOOTH), options)
    for start, pose in zip(starts, refined, strict=True):
        assert view.error(start).translation > 0.05
        assert view.error(pose).translation < 2e-3
        assert np.degrees(view.error(pose).rotation) < 0.05


def test_outliers_pull_on_the_squared_loss_only():
    """A third of the descriptors are those of places some 20 pixels beside."""
    view = random_view(120, 4)
    wrong = torch.arange(120) < 40
    beside = view.pixels + torch.tensor([16.0, -12.0])
    descriptors = position_code(torch.where(wrong[:, None], beside, view.pixels), SMOOTH)
    start, level = view.moved(0.02, 0.3)[None], code_level(4, SMOOTH)
    errors = {}
    for loss in ROBUST_LOSSES:
        options = FeatureMetricConfiguration(loss=loss, scale=0.25, iterations=40)
        pose = refine(start, view.points, INTRINSICS, descriptors, level, options)[0]
        errors[loss] = view.error(pose).translation
    assert errors["cauchy"] < 0.25 * errors["squared"]
    assert errors["geman_mcclure"] < 0.25 * errors["squared"]
    assert errors["huber"] < errors["squared"]


def test_a_pose_never_gets_more_expensive():
    """Unrelated descriptors, and starts from which there is nothing to find."""
    view, level = random_view(50, 5), code_level(4, FINE_LENGTH)
    generator = torch.Generator().manual_seed(5)
    descriptors = torch.nn.functional.normalize(torch.randn(50, 256, generator=generator), dim=-1)
    starts = torch.stack([view.moved(metres, 10 * metres) for metres in (0.01, 0.3, 2.0)])
    refined = refine(starts, view.points, INTRINSICS, descriptors, level, FINE)
    before, after = (
        feature_metric_cost(
            poses,
            view.points,
            INTRINSICS,
            descriptors,
            FeatureGradients.of(level, "central"),
            ROBUST_LOSSES[FINE.loss],
            FINE.scale,
        ).cost
        for poses in (starts, refined)
    )
    assert (after <= before).all()
    assert refined.isfinite().all()


def test_points_gain_nothing_by_leaving_the_image():
    view, level = random_view(40, 6), code_level(4, SMOOTH)
    descriptors = position_code(view.pixels, SMOOTH)
    behind = view.T_camera_map.clone()
    behind[2] *= -1
    behind[0] *= -1

    def at(poses: Tensor) -> QuadraticModel:
        features = FeatureGradients.of(level, "central")
        squared = ROBUST_LOSSES["squared"]
        return feature_metric_cost(
            poses, view.points, INTRINSICS, descriptors, features, squared, scale=1.0
        )

    seen, unseen = at(view.T_camera_map[None]), at(behind[None])
    assert seen.cost[0] < 0.1 * 40
    assert unseen.cost[0] == pytest.approx(2.0 * 40)
    assert not unseen.gradient.any()
    assert not unseen.hessian.any()


@pytest.mark.parametrize("loss", ["squared", "huber", "cauchy", "geman_mcclure"])
@pytest.mark.parametrize("gradient", ["central", "sobel", "sobel_normalized"])
def test_the_compiled_refinement_is_that_of_tensors(loss, gradient):
    """A part of the points match a wrong place, and some lie outside of the image."""
    view = random_view(80, 11)
    level = code_level(4, SMOOTH)
    pixels = torch.where(torch.arange(80)[:, None] < 60, view.pixels, random_pixels(80, 12))
    descriptors = level.sample(pixels)
    start = view.moved(0.02, 0.3)
    points = torch.cat([view.points, view.points[:5] + torch.tensor([30.0, 0.0, 0.0])])
    descriptors = torch.cat([descriptors, descriptors[:5]])
    options = FeatureMetricConfiguration(loss=loss, gradient=gradient, iterations=3)
    problem = (start[None], points, INTRINSICS, descriptors, level, options)
    compiled, by_tensors = refine(*problem), refine_by_tensors(*problem)
    assert (compiled - start).abs().max() > 1e-3
    torch.testing.assert_close(compiled, by_tensors, atol=1e-4, rtol=0)


def test_without_any_point_poses_stay():
    view = random_view(0, 0)
    starts = torch.stack([view.T_camera_map, torch.eye(4)])
    level = code_level(4, SMOOTH)
    refined = refine(starts, view.points, INTRINSICS, torch.empty(0, 256), level, FINE)
    assert torch.equal(refined, starts)


@pytest.mark.parametrize("levels", [("fine",), ("coarse", "fine")])
def test_a_found_pose_is_refined_by_its_inliers(levels):
    """A third of the points match a wrong place."""
    view = random_view(150, 7)
    is_right = torch.arange(150) % 3 > 0
    problem = problem_of(
        view.points, (torch.where(is_right[:, None], view.pixels, random_pixels(150, 8)), 1.0)
    )
    start = view.moved(0.02, 0.3)
    found = fine_maps_of(problem, start, 12)
    options = FeatureMetricConfiguration(levels=levels)
    refined = refine_by_features(problem, found, options)
    assert view.error(start).translation == pytest.approx(0.02, rel=0.5)
    assert view.error(refined.T_camera_map).translation < 0.005
    # The points and maps that it is judged by stay.
    assert refined.points is found.points
    assert refined.fine_maps is found.fine_maps


def test_levels_are_refined_one_after_the_other():
    view = random_view(100, 9)
    problem = problem_of(view.points, (view.pixels, 1.0))
    found = fine_maps_of(problem, view.moved(0.02, 0.5), 12)
    inliers = problem.select(found.gains(problem) > 0)
    options = FeatureMetricConfiguration(levels=("coarse", "fine"), iterations=2)
    poses = found.T_camera_map[None]
    for level, descriptors in (
        (inliers.coarse_level, inliers.coarse_descriptors),
        (inliers.fine_level, inliers.fine_descriptors),
    ):
        poses = refine(poses, inliers.points, INTRINSICS, descriptors, level, options)
    assert torch.equal(refine_by_features(problem, found, options).T_camera_map, poses[0])
