"""Errors of poses on a map's own images."""

from __future__ import annotations

import numpy as np
import pytest
from keyframes_in_a_row import DEPTH, moved, wall_map
from scipy.spatial.transform import Rotation

from dense_reloc_ros.geometry.se3 import rigid
from dense_reloc_ros.localization.result import PoseEstimate
from dense_reloc_ros.mapping.calibration.pose_errors import PUBLISHABLE, RIGHT, normalized_error


@pytest.mark.parametrize("unit", [0.01, 1.0, 100.0])
@pytest.mark.parametrize("tolerance", [PUBLISHABLE, RIGHT])
def test_poses_are_judged_by_the_depth_of_what_they_see(tolerance, unit):
    scene_map = wall_map(unit=unit)
    metres, degrees = tolerance.depth_share * DEPTH * unit, np.degrees(tolerance.radians)
    for distance, angle, expected in (
        (0.0, 0.0, True),
        (0.99 * metres, 0.99 * degrees, True),
        (1.01 * metres, 0.0, False),
        (0.0, 1.01 * degrees, False),
    ):
        estimate = moved(scene_map, 2, metres=distance, degrees=angle)
        assert tolerance.holds(scene_map, 2, estimate) is expected


def test_in_a_room_tolerances_are_those_of_published_and_of_right_poses():
    depth = 1.8
    for tolerance, metres, degrees in ((PUBLISHABLE, 0.25, 10.0), (RIGHT, 0.05, 5.0)):
        assert tolerance.depth_share * depth == pytest.approx(metres, abs=0.003)
        assert np.degrees(tolerance.radians) == pytest.approx(degrees)


def test_normalized_errors_are_those_of_map_axes():
    rng = np.random.default_rng(0)
    truth = rigid(Rotation.random(random_state=1).as_matrix(), rng.normal(size=3))
    error = 0.1 * rng.normal(size=6)
    turn = Rotation.from_rotvec(error[3:]).as_matrix()
    pose = rigid(turn @ truth[:3, :3], truth[:3, 3] + error[:3])
    root = rng.normal(size=(6, 6))
    covariance = root @ root.T + np.eye(6)
    found = PoseEstimate(pose, covariance, 0.5, np.arange(3), (0,))
    expected = error @ np.linalg.inv(covariance) @ error
    assert normalized_error(truth, found) == pytest.approx(expected)
