import sys

import numpy as np
import pytest
from loop_closure.walk import NOISE, constraints_of, moved, walk
from scipy.spatial.transform import Rotation

from dense_reloc_ros.errors import ConfigurationError, InputError
from dense_reloc_ros.geometry.odometry_noise import OdometryNoise
from dense_reloc_ros.geometry.se3 import inverse, pose_error, rigid
from dense_reloc_ros.geometry.trajectory import Trajectory
from dense_reloc_ros.loop_closure.constraint import MapConstraint
from dense_reloc_ros.loop_closure.pose_graph import close_trajectory

T_WRONG_MAP = rigid(Rotation.from_euler("z", 40, degrees=True).as_matrix(), np.array([1.0, 2, 0]))


def root_mean_square(truth, poses):
    return float(np.sqrt(np.mean(np.sum((truth.poses - poses)[:, :3, 3] ** 2, axis=1))))


@pytest.fixture(autouse=True)
def needs_gtsam():
    pytest.importorskip("gtsam")


def test_a_pose_with_two_constraints_is_their_mean_weighted_in_the_axes_of_the_map():
    turned = rigid(Rotation.from_euler("xyz", [80, 30, 60], degrees=True).as_matrix(), np.zeros(3))
    first, second = np.diag([1.0, 4, 9, 1, 1, 1]) * 1e-4, np.diag([9.0, 1, 1, 1, 1, 1]) * 1e-4
    offset = np.array([0.001, 0.002, -0.003])
    constraints = [
        MapConstraint(0, turned, first),
        MapConstraint(0, rigid(turned[:3, :3], offset), second),
    ]
    odometry = Trajectory(np.array([0]), np.eye(4)[None])
    closed = close_trajectory(odometry, constraints, NOISE)
    weights = np.array([1 / 9, 1, 1]) / (np.array([1 / 9, 1, 1]) + np.array([1, 1 / 4, 1 / 9]))
    assert closed.poses[0, :3, 3] == pytest.approx(weights * offset, abs=1e-6)
    assert closed.poses[0, :3, :3] == pytest.approx(turned[:3, :3], abs=1e-6)


def test_one_constraint_carries_the_odometry_into_the_map():
    truth, odometry = walk(frames=30)
    constraint = MapConstraint(int(truth.stamps[7]), truth.poses[7], 1e-6 * np.eye(6))
    closed = close_trajectory(odometry, [constraint], NOISE)
    expected = truth.poses[7] @ inverse(odometry.poses[7]) @ odometry.poses
    assert closed.poses == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_constraints_take_the_drift_away(seed):
    truth, odometry = walk(frames=400, seed=seed)
    constraints = constraints_of(truth, 10, np.random.default_rng(seed))
    closed = close_trajectory(odometry, constraints, NOISE)
    before = root_mean_square(truth, truth.poses[0] @ odometry.poses)
    assert root_mean_square(truth, closed.poses) < before / 5


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_switchable_constraints_let_go_of_wrong_ones(seed):
    rng = np.random.default_rng(seed)
    truth, odometry = walk(seed=seed)
    constraints = constraints_of(truth, 2, rng)
    wrong = set(rng.choice(len(constraints), 6, replace=False).tolist())
    right = [one for index, one in enumerate(constraints) if index not in wrong]
    mixed = [
        moved(one, T_WRONG_MAP) if index in wrong else one for index, one in enumerate(constraints)
    ]
    best = root_mean_square(truth, close_trajectory(odometry, right, NOISE).poses)
    errors = {
        kernel: root_mean_square(truth, close_trajectory(odometry, mixed, NOISE, kernel).poses)
        for kernel in ("none", "huber", "cauchy", "switchable")
    }
    assert errors["none"] > 10 * best
    assert errors["none"] > errors["huber"] > errors["cauchy"]
    assert errors["switchable"] < 1.1 * best


def test_between_constraints_the_odometry_decides():
    truth, odometry = walk(frames=3)
    exact = OdometryNoise(0.0, 0.0, 0.0, 1e-6, 1e-6)
    ends = [MapConstraint(int(truth.stamps[i]), truth.poses[i], 1e-4 * np.eye(6)) for i in (0, 2)]
    closed = close_trajectory(odometry, ends, exact)
    step = pose_error(inverse(closed.poses[0]) @ closed.poses[1], odometry.poses[1])
    assert step.translation < 1e-6


def test_without_constraints_there_is_nothing_to_close():
    _, odometry = walk(frames=3)
    with pytest.raises(InputError, match="no constraints"):
        close_trajectory(odometry, [], NOISE)


def test_says_what_to_install(monkeypatch):
    truth, odometry = walk(frames=3)
    constraint = MapConstraint(int(truth.stamps[0]), truth.poses[0], np.eye(6))
    monkeypatch.setitem(sys.modules, "gtsam", None)
    with pytest.raises(ConfigurationError, match="pip install"):
        close_trajectory(odometry, [constraint], NOISE)
