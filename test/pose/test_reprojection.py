"""The baselines that keep only the best pixel of each map."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from pose.synthetic import INTRINSICS, problem_of, random_pixels, random_view, with_outliers
from scipy.linalg import eigh
from scipy.optimize import least_squares
from scipy.spatial.transform import Rotation

from dense_reloc_ros.configuration import LocalizerConfiguration
from dense_reloc_ros.geometry.projection import project
from dense_reloc_ros.geometry.se3 import rigid
from dense_reloc_ros.pose import lo_ransac, reprojection
from dense_reloc_ros.pose.gnc import smoothed_cost
from dense_reloc_ros.pose.loss_maps import one_hot_loss_maps

DEFAULT = LocalizerConfiguration()
ESTIMATORS = [reprojection.estimate_reprojection, reprojection.estimate_smoothed_reprojection]


@pytest.mark.parametrize("seed", range(3))
def test_the_pose_of_correspondences_is_found_among_outliers(seed):
    view = random_view(100, seed)
    pixels = torch.where(
        torch.arange(100)[:, None] < 70, random_pixels(100, seed + 50), view.pixels
    )
    pose = lo_ransac.robust_pose(pixels, view.points, INTRINSICS, 3.0)
    assert pose.dtype == view.points.dtype
    assert view.error(pose).translation < 1e-3
    assert view.error(pose).rotation < 1e-3
    again = lo_ransac.robust_pose(pixels, view.points, INTRINSICS, 3.0)
    torch.testing.assert_close(pose, again, rtol=0, atol=0)


@pytest.mark.parametrize("count", [0, 3])
def test_fewer_than_four_correspondences_have_no_pose(count):
    view = random_view(count, 3)
    assert lo_ransac.robust_pose(view.pixels, view.points, INTRINSICS, 3.0) is None


def test_correspondences_are_the_peaks_of_the_maps():
    view = random_view(80, 4)
    problem = problem_of(view.points, (view.pixels, 1.0), (random_pixels(80, 5), 0.5))
    pixels, exist = reprojection.correspondences(problem, DEFAULT.nre.window)
    assert exist.all()
    assert (
        (pixels - view.pixels).norm(dim=-1) < problem.fine_level.stride / 4
    ).double().mean() > 0.9


def test_maps_that_are_truncated_everywhere_have_no_correspondence():
    view = random_view(30, 5)
    problem = problem_of(view.points, (view.pixels, 1.0))
    problem.log_coarse[:10] = -torch.inf
    _, exist = reprojection.correspondences(problem, DEFAULT.nre.window)
    assert not exist[:10].any()
    assert exist[10:].all()
    hopeless = replace(problem, log_coarse=torch.full_like(problem.log_coarse, -torch.inf))
    for estimate in ESTIMATORS:
        assert estimate(hopeless, DEFAULT) is None


@pytest.mark.parametrize("estimate", ESTIMATORS)
@pytest.mark.parametrize("seed", range(3))
def test_the_truth_is_found_when_four_of_five_maps_are_wrong(estimate, seed):
    view = random_view(250, seed)
    problem = with_outliers(view, 0.8, "wrong", seed)
    found = estimate(problem, DEFAULT)
    error = view.error(found.T_camera_map)
    assert error.translation < 0.01
    assert np.degrees(error.rotation) < 0.15
    supporting = found.gains(problem) > 0.3 * found.fine_maps.outlier_loss
    assert 0.9 * 50 <= supporting.sum() <= 1.2 * 50


def test_the_smoothed_reprojection_error_is_that_of_equation_4_11():
    view = random_view(40, 6, torch.float64)
    pixels = random_pixels(40, 7).double()
    categories, stride, sigma = 4801, 4, 2.0
    poses = torch.stack([view.moved(0.05 * k, 1.0 * k) for k in range(3)])
    maps = one_hot_loss_maps(pixels, categories, stride)
    found = smoothed_cost(poses, view.points, INTRINSICS.double(), maps, sigma)
    projections, _ = project(poses, view.points, INTRINSICS.double())
    distance = (pixels - projections).norm(dim=-1) / stride
    kernel = torch.exp(-distance.square() / (2 * sigma**2)) / (2 * math.pi * sigma**2)
    torch.testing.assert_close(found.cost, -math.log(categories) * kernel.sum(-1))


def test_covariance_is_that_of_poses_from_noisy_pixels():
    """Against least squares from many draws of the noise."""
    rng = np.random.default_rng(0)
    truth = rigid(Rotation.from_euler("xyz", [0.3, -0.5, 0.2]).as_matrix(), np.array([1.0, 2.0, 3]))
    local = rng.uniform([-1, -1, 2], [1, 1, 5], (40, 3))
    points = local @ truth[:3, :3].T + truth[:3, 3]
    pixels = local[:, :2] / local[:, 2:] * 400 + 200
    noise = 0.7 * rng.standard_normal((300, *pixels.shape))

    def moved(motion: np.ndarray) -> np.ndarray:
        """The pose after a motion (translation, rotation vector) along the axes of the map."""
        turn = Rotation.from_rotvec(motion[3:]).as_matrix()
        return rigid(turn @ truth[:3, :3], truth[:3, 3] + motion[:3])

    def misses(motion: np.ndarray, seen: np.ndarray) -> np.ndarray:
        pose = moved(motion)
        local = (points - pose[:3, 3]) @ pose[:3, :3]
        return (local[:, :2] / local[:, 2:] * 400 + 200 - seen).ravel()

    motions = [least_squares(misses, np.zeros(6), args=(pixels + one,)).x for one in noise]
    observed = np.cov(np.array(motions).T)
    T_camera_map = torch.from_numpy(np.linalg.inv(moved(motions[0])))
    estimated = reprojection.reprojection_covariance(
        T_camera_map,
        torch.from_numpy(points),
        torch.from_numpy(pixels + noise[0]),
        torch.tensor([400.0, 400.0, 200.0, 200.0], dtype=torch.float64),
    )
    # Generalized eigenvalues: the ratios of the variances in the directions where they differ.
    ratios = eigh(observed, estimated.numpy(), eigvals_only=True)
    assert ratios.min() > 0.6
    assert ratios.max() < 1.6
