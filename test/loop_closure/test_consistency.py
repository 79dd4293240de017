import numpy as np
import pytest
from loop_closure.walk import NOISE, any_covariance, constraints_of, disturbed, moved, walk
from scipy.spatial.transform import Rotation
from scipy.stats import chi2, kstest

from dense_reloc_ros.errors import InputError
from dense_reloc_ros.geometry.odometry_noise import OdometryNoise
from dense_reloc_ros.geometry.se3 import inverse, rigid
from dense_reloc_ros.geometry.trajectory import Trajectory
from dense_reloc_ros.loop_closure.consistency import consistent_constraints, squared_distances
from dense_reloc_ros.loop_closure.constraint import MapConstraint

EXACT = OdometryNoise(0.0, 0.0, 0.0, 1e-9, 1e-9)
T_WRONG_MAP = rigid(Rotation.from_euler("z", 40, degrees=True).as_matrix(), np.array([1.0, 2, 0]))


def test_distances_of_right_constraints_are_distributed_as_chi_square():
    """With exact odometry, two poses with errors of their covariances, far apart and turned."""
    rng = np.random.default_rng(0)
    truth, _ = walk(frames=60)
    pair = Trajectory(truth.stamps[[0, 59]], truth.poses[[0, 59]])
    odometry = Trajectory(pair.stamps, inverse(pair.poses[0]) @ pair.poses)
    covariances = [any_covariance(rng), any_covariance(rng)]
    drawn = []
    for _ in range(1000):
        constraints = [
            MapConstraint(int(stamp), disturbed(pose, covariance, rng), covariance)
            for stamp, pose, covariance in zip(pair.stamps, pair.poses, covariances, strict=True)
        ]
        drawn.append(squared_distances(constraints, odometry, EXACT)[0, 1])
    assert np.mean(drawn) == pytest.approx(6.0, abs=0.35)
    assert kstest(drawn, chi2(6).cdf).pvalue > 0.01


def test_the_order_of_constraints_does_not_matter():
    rng = np.random.default_rng(1)
    truth, odometry = walk(frames=40)
    constraints = constraints_of(truth, 10, rng)
    order = [2, 0, 3, 1]
    shuffled = squared_distances([constraints[i] for i in order], odometry, NOISE)
    straight = squared_distances(constraints, odometry, NOISE)
    assert shuffled == pytest.approx(straight[np.ix_(order, order)])


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_right_constraints_are_kept_and_those_of_a_wrong_map_are_not(seed):
    """The wrong ones agree with each other, but are fewer."""
    rng = np.random.default_rng(seed)
    truth, odometry = walk(seed=seed)
    constraints = constraints_of(truth, 2, rng)
    wrong = rng.choice(len(constraints), 12, replace=False)
    for index in wrong:
        constraints[index] = moved(constraints[index], T_WRONG_MAP)
    kept = consistent_constraints(constraints, odometry, NOISE)
    assert not kept[wrong].any()
    assert kept.sum() >= 0.95 * (len(constraints) - len(wrong))


def test_one_constraint_agrees_with_itself():
    truth, odometry = walk(frames=5)
    constraint = constraints_of(truth, 10, np.random.default_rng(0))
    assert consistent_constraints(constraint, odometry, NOISE).tolist() == [True]
    assert consistent_constraints([], odometry, NOISE).shape == (0,)


def test_odometry_must_reach_each_constraint():
    truth, odometry = walk(frames=5)
    late = MapConstraint(int(truth.stamps[-1]) + 10**9, np.eye(4), np.eye(6))
    with pytest.raises(InputError, match=r"no odometry at 1\.266"):
        consistent_constraints([late], odometry, NOISE)
