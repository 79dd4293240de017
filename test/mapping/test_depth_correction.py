"""Errors of a depth camera, put in by hand and found again."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from dense_reloc_ros.geometry.camera import Camera
from dense_reloc_ros.geometry.se3 import rigid
from dense_reloc_ros.mapping.depth_correction import LARGEST, DepthCorrection, fit_depth_correction
from dense_reloc_ros.mapping.tracks import LiftedKeyframe

CAMERA = Camera(640, 480, 525.0, 525.0, 320.0, 240.0)


def record(
    reading_of: Callable[[np.ndarray], np.ndarray],
    positions: list[tuple[float, float, float]],
    turns: list[float],
    seed: int = 0,
) -> list[LiftedKeyframe]:
    """Keyframes of a wide scattered scene, 0.8 to 3.2 m away, with noise of 0.5 px and 0.5 %."""
    rng = np.random.default_rng(seed)
    z = rng.uniform(0.8, 3.2, 600)
    points = np.column_stack([rng.uniform(-0.8, 0.8, 600) * z, rng.uniform(-0.5, 0.5, 600) * z, z])
    keyframes = []
    for position, turn in zip(positions, turns, strict=True):
        rotation = Rotation.from_euler("y", turn, degrees=True).as_matrix()
        local = (points - position) @ rotation
        pixels = local[:, :2] / local[:, 2:] * 525.0 + [320.0, 240.0]
        pixels += rng.normal(0, 0.5, pixels.shape)
        seen = (local[:, 2] > 0.3) & (pixels > 0).all(1) & (pixels < [640, 480]).all(1)
        depth = local[seen, 2] * (1 + rng.normal(0, 0.005, seen.sum()))
        rays = np.column_stack([(pixels[seen] - [320.0, 240.0]) / 525.0, np.ones(seen.sum())])
        lifted = (rays * reading_of(depth)[:, None]) @ rotation.T + position
        pose = rigid(rotation, np.array(position))
        keyframes.append(LiftedKeyframe(CAMERA, pose, pixels[seen].astype(np.float32), lifted))
    return keyframes


def sideways() -> tuple[list[tuple[float, float, float]], list[float]]:
    return [(0.08 * k, 0.03 * k, 0.02 * k) for k in range(10)], [-1.5 * k for k in range(10)]


def test_a_good_depth_camera_is_left_alone():
    correction = fit_depth_correction(record(lambda depth: depth, *sideways()))
    assert np.abs(correction.shares).max() < 0.002


def test_errors_that_change_with_distance_are_found():
    # Too short by 2 % near, right at 2 m, too long by 1 % far.
    def share(reading: np.ndarray) -> np.ndarray:
        return np.interp(reading, [0.8, 2.0, 3.2], [0.02, 0.0, -0.01])

    def reading_of(depth: np.ndarray) -> np.ndarray:
        reading = depth
        for _ in range(20):
            reading = depth / (1 + share(reading))
        return reading

    correction = fit_depth_correction(record(reading_of, *sideways()))
    readings = np.linspace(1.0, 3.0, 9)
    np.testing.assert_allclose(correction.at(readings), share(readings), atol=0.003)


@pytest.mark.parametrize(
    "place",
    [
        ([(0.0, 0.0, 0.0)], [0.0]),
        ([(0.0, 0.0, 0.0)] * 8, [-2.0 * k for k in range(8)]),
        ([(0.0, 0.0, 0.0), (9.0, 0.0, 0.0)], [0.0, 180.0]),
    ],
    ids=["one keyframe", "turning on the spot", "nothing shared"],
)
def test_what_cannot_be_known_is_not_corrected(place):
    correction = fit_depth_correction(record(lambda depth: depth * 0.98, *place))
    assert np.abs(correction.shares).max() < 0.002


def test_corrections_are_bounded():
    # Readings that no depth camera gives: the poses are in another unit.
    correction = fit_depth_correction(record(lambda depth: depth * 0.93, *sideways()))
    assert np.abs(correction.shares).max() <= LARGEST


def test_points_move_along_their_rays():
    (keyframe,) = record(lambda depth: depth, [(0.3, 0.1, 0.2)], [5.0])
    correction = DepthCorrection(np.array([1.0, 3.0]), np.array([0.02, -0.02]))
    moved = correction.applied_to(keyframe)
    np.testing.assert_allclose(moved.project(moved.points), keyframe.pixels, atol=1e-3)
    before = keyframe.to_camera(keyframe.points)[:, 2]
    after = moved.to_camera(moved.points)[:, 2]
    expected = np.interp(before, [1.0, 3.0], [0.02, -0.02])
    np.testing.assert_allclose(after / before - 1, expected, atol=1e-9)
