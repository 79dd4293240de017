"""Predicted poses against motions that are known in closed form."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.linalg import expm
from scipy.spatial.transform import Rotation

from dense_reloc_ros.geometry.se3 import rigid
from dense_reloc_ros.temporal.motion import TimedPose, propagate

SECOND = 1_000_000_000


def turned(degrees: float, position: tuple[float, float, float]) -> np.ndarray:
    rotation = Rotation.from_euler("zyx", [degrees, 0.3 * degrees, 10], degrees=True)
    return rigid(rotation.as_matrix(), np.array(position))


def test_the_velocity_in_the_cameras_frame_goes_on():
    first, step = turned(20, (1, 2, 3)), turned(4, (0.05, -0.02, 0.1))
    last = first @ step
    predicted = propagate(TimedPose(0, first), TimedPose(SECOND, last), 2 * SECOND, None)
    np.testing.assert_allclose(predicted, last @ step, atol=1e-12)


@pytest.mark.parametrize("share", [0.5, 3.0])
def test_other_times_take_their_share_of_rotation_and_translation(share: float):
    turn = np.array([0.1, -0.2, 0.05])
    step = rigid(Rotation.from_rotvec(turn).as_matrix(), np.array([0.1, 0.2, -0.1]))
    last = turned(-30, (0, 1, 0))
    first = last @ np.linalg.inv(step)
    predicted = propagate(
        TimedPose(0, first), TimedPose(SECOND, last), SECOND + int(share * SECOND), None
    )
    hat = np.array([[0, -turn[2], turn[1]], [turn[2], 0, -turn[0]], [-turn[1], turn[0], 0]])
    expected = last @ rigid(expm(share * hat), share * step[:3, 3])
    np.testing.assert_allclose(predicted, expected, atol=1e-12)


def test_one_pose_stays_where_it_is():
    only = TimedPose(SECOND, turned(5, (1, 1, 1)))
    np.testing.assert_array_equal(propagate(only, only, 2 * SECOND, None), only.T_map_camera)


def test_odometry_is_believed_rather_than_the_velocity():
    odometry, moved = turned(50, (7, 8, 9)), turned(3, (0.3, 0, 0))
    first = TimedPose(0, turned(0, (0, 0, 0)), odometry)
    last = TimedPose(SECOND, turned(40, (5, 0, 0)), odometry)
    predicted = propagate(first, last, 2 * SECOND, odometry @ moved)
    np.testing.assert_allclose(predicted, last.T_map_camera @ moved, atol=1e-12)


def test_without_odometry_now_the_velocity_goes_on():
    first = TimedPose(0, turned(0, (0, 0, 0)), np.eye(4))
    last = TimedPose(SECOND, turned(0, (1, 0, 0)), np.eye(4))
    predicted = propagate(first, last, 2 * SECOND, None)
    step = np.linalg.inv(first.T_map_camera) @ last.T_map_camera
    np.testing.assert_allclose(predicted, last.T_map_camera @ step, atol=1e-12)
