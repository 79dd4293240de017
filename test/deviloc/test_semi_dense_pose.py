"""Poses from points that are right, noisy or wrong."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from dense_reloc_ros.deviloc.point_aggregation import AggregatedPoints
from dense_reloc_ros.deviloc.semi_dense_pose import find_pose
from dense_reloc_ros.geometry.camera import Camera
from dense_reloc_ros.geometry.se3 import inverse, pose_error

CAMERA = Camera(640, 480, 500.0, 500.0, 319.5, 239.5)
INTRINSICS = torch.from_numpy(CAMERA.intrinsics)


def places(count: int = 400, noise: float = 0.0, wrong: float = 0.0):
    """Places of an image at a known pose, with noisy pixels and a share of points elsewhere."""
    rng = np.random.default_rng(0)
    pose = np.eye(4)
    turn, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    pose[:3, :3] = turn * np.linalg.det(turn)
    pose[:3, 3] = 4.0, 2.0, -1.0
    pixels = rng.uniform([0, 0], [639, 479], (count, 2))
    in_camera = CAMERA.lift(pixels, rng.uniform(1.0, 4.0, count))
    is_wrong = rng.random(count) < wrong
    in_camera[is_wrong] = CAMERA.lift(
        rng.uniform([0, 0], [639, 479], (is_wrong.sum(), 2)), rng.uniform(1, 4, is_wrong.sum())
    )
    points = in_camera @ pose[:3, :3].T + pose[:3, 3]
    pixels = pixels + rng.normal(0, noise, pixels.shape)
    seen = AggregatedPoints(
        torch.from_numpy(pixels), torch.from_numpy(points), torch.ones(count).double()
    )
    return seen, pose


def test_exact_points_give_the_exact_pose():
    seen, pose = places()
    found = find_pose(seen, INTRINSICS, 20.0)
    assert found is not None
    error = pose_error(pose, inverse(found.T_camera_map.numpy()))
    assert error.translation < 1e-6 and error.rotation < 1e-6
    assert found.share == 1.0
    assert found.score(640, 480) == 1.0
    depths = (seen.points.numpy() - pose[:3, 3]) @ pose[:3, 2]
    assert found.median_depth == pytest.approx(np.median(depths), rel=0.02)


def test_wrong_points_are_told_from_noisy_ones():
    seen, pose = places(noise=1.0, wrong=0.5)
    found = find_pose(seen, INTRINSICS, 20.0)
    assert found is not None
    error = pose_error(pose, inverse(found.T_camera_map.numpy()))
    # What the other half, 200 points with a pixel of noise, allows: 2 m / 500 / sqrt(200), twice.
    assert error.translation < 2e-3 and error.rotation < 1e-3
    assert found.share == pytest.approx(0.5, abs=0.05)
    deviations = np.sqrt(np.diag(found.covariance.numpy()))
    assert 1e-4 < deviations[:3].max() < 2e-3


def test_support_in_a_corner_scores_less():
    seen, _ = places()
    corner = (seen.pixels < torch.tensor([160.0, 160.0])).all(-1)
    few = AggregatedPoints(seen.pixels[corner], seen.points[corner], seen.confidences[corner])
    found = find_pose(few, INTRINSICS, 20.0)
    assert found is not None
    assert found.share == 1.0
    # Four of the 48 cells, of the 24 that a full score needs.
    assert found.score(640, 480) == pytest.approx(4 / 24)


def test_too_few_places_give_no_pose():
    seen, _ = places(count=3)
    assert find_pose(seen, INTRINSICS, 20.0) is None
    seen, _ = places(count=5)
    assert find_pose(seen, INTRINSICS, 20.0) is None
