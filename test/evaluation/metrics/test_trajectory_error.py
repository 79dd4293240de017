import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from dense_reloc_ros.evaluation.metrics.trajectory_error import trajectory_error
from dense_reloc_ros.geometry.se3 import rigid


def poses(points):
    return np.array([rigid(np.eye(3), np.array(point)) for point in points])


SQUARE = poses([[0.0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]])


def test_distances_are_root_mean_squares():
    off = SQUARE.copy()
    off[0, 0, 3] += 0.3
    off[1, 2, 3] -= 0.4
    error = trajectory_error(SQUARE, off)
    assert error.ate_m == pytest.approx(0.25)
    assert error.rotation_deg == 0.0


def test_alignment_takes_a_motion_of_the_whole_away():
    turn = Rotation.from_euler("xyz", [5, -3, 40], degrees=True).as_matrix()
    error = trajectory_error(SQUARE, rigid(turn, np.array([3.0, -2, 1])) @ SQUARE)
    assert error.aligned_ate_m == pytest.approx(0.0, abs=1e-9)
    assert error.ate_m > 3.0
    angle = np.degrees(Rotation.from_matrix(turn).magnitude())
    assert error.rotation_deg == pytest.approx(angle)


def test_alignment_does_not_mirror_or_scale():
    mirrored = poses([[0.0, 0, 0], [-1, 0, 0], [-1, 1, 0], [0, 1, 1]])
    truth = poses([[0.0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 1]])
    assert trajectory_error(truth, mirrored).aligned_ate_m > 0.1
    doubled = SQUARE.copy()
    doubled[:, :3, 3] *= 2
    assert trajectory_error(SQUARE, doubled).aligned_ate_m == pytest.approx(np.sqrt(0.5))
