import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from dense_reloc_ros.geometry.odometry_noise import OdometryNoise, drifting_odometry
from dense_reloc_ros.geometry.se3 import inverse, pose_error
from dense_reloc_ros.rendering.paths import query_motion
from dense_reloc_ros.rendering.room import Walkway

WALKWAY = Walkway((1.0, 0.8), (2.0, 1.6))


def test_odometry_without_drift_is_the_motion_itself():
    poses = query_motion(WALKWAY, 60, 0).T_map_base
    odometry = drifting_odometry(poses, 0.0, seed=0)
    assert odometry == pytest.approx(inverse(poses[0]) @ poses, abs=1e-9)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_odometry_drifts_by_about_its_share_of_the_way(seed):
    poses = query_motion(WALKWAY, 300, seed).T_map_base
    odometry = drifting_odometry(poses, 0.02, seed)
    way = np.linalg.norm(np.diff(poses[:, :3, 3], axis=0), axis=1).sum()
    measured = np.linalg.norm(np.diff(odometry[:, :3, 3], axis=0), axis=1).sum()
    assert measured / way == pytest.approx(1.01, abs=0.005)
    error = pose_error(inverse(poses[0]) @ poses[-1], odometry[-1])
    assert 0.002 * way < error.translation < 0.1 * way


def test_a_biased_gyroscope_turns_a_body_at_rest():
    at_rest = np.tile(np.eye(4), (11, 1, 1))
    odometry = drifting_odometry(at_rest, 0.02, 0, gyro_bias=0.01, seconds=np.arange(11.0))
    turned = Rotation.from_matrix(odometry[:, :3, :3]).as_rotvec()
    assert np.linalg.norm(turned, axis=1) == pytest.approx(0.01 * np.arange(11))
    assert odometry[:, :3, 3] == pytest.approx(0.0)


def test_without_a_bias_times_change_nothing():
    poses = query_motion(WALKWAY, 30, 0).T_map_base
    timed = drifting_odometry(poses, 0.02, 1, seconds=np.arange(30.0))
    assert timed == pytest.approx(drifting_odometry(poses, 0.02, 1))


def test_uncertainty_grows_with_way_turn_and_time():
    noise = OdometryNoise(0.02, 0.1, 0.01, least_translation=0.001, least_rotation=0.002)
    way, turn, seconds = np.array([[0.0, 10.0], [0.0, 2.0], [0.0, 5.0]])
    at_rest, moved = noise.covariances(way, turn, seconds)
    assert np.sqrt(np.diag(at_rest)) == pytest.approx([0.001] * 3 + [0.002] * 3)
    rotation = 0.002 + 0.1 * 2 + 0.01 * 5
    translation = 0.001 + 0.02 * 10 + rotation * 10
    assert np.sqrt(np.diag(moved)) == pytest.approx([translation] * 3 + [rotation] * 3)
