"""A walk with odometry that drifts, and constraints whose errors are as their covariances say."""

import numpy as np
from scipy.spatial.transform import Rotation

from dense_reloc_ros.geometry.odometry_noise import OdometryNoise, drifting_odometry
from dense_reloc_ros.geometry.se3 import rigid
from dense_reloc_ros.geometry.trajectory import Trajectory
from dense_reloc_ros.loop_closure.constraint import MapConstraint
from dense_reloc_ros.rendering.paths import query_motion
from dense_reloc_ros.rendering.room import Walkway
from dense_reloc_ros.stamps import NANOSECONDS

NOISE = OdometryNoise()


def walk(frames=120, seed=0):
    """T_map_body and T_odom_body."""
    motion = query_motion(Walkway((1.0, 0.8), (2.0, 1.6)), frames, seed)
    odometry = drifting_odometry(motion.T_map_base, 0.02, seed, 0.002, motion.times)
    stamps = (motion.times * NANOSECONDS).astype(np.int64)
    return Trajectory(stamps, motion.T_map_base), Trajectory(stamps, odometry)


def disturbed(pose, covariance, rng):
    """A pose with an error of a covariance (order and axes of ROS)."""
    error = rng.multivariate_normal(np.zeros(6), covariance)
    turn = Rotation.from_rotvec(error[3:]).as_matrix()
    return rigid(turn @ pose[:3, :3], pose[:3, 3] + error[:3])


def any_covariance(rng):
    """(6, 6) of some centimetres and fractions of a degree."""
    matrix = rng.normal(size=(6, 6)) * np.repeat([0.01, 0.003], 3)[:, None]
    return matrix @ matrix.T + np.diag(np.repeat([1e-6, 1e-7], 3))


def constraints_of(truth, every, rng):
    """Right ones."""
    return [
        constraint_at(truth.stamps[index], truth.poses[index], rng)
        for index in range(0, len(truth), every)
    ]


def constraint_at(stamp, pose, rng):
    covariance = any_covariance(rng)
    return MapConstraint(int(stamp), disturbed(pose, covariance, rng), covariance)


def moved(constraint, T_wrong_map):
    """As a map whose origin is elsewhere would say it."""
    return MapConstraint(
        constraint.stamp, T_wrong_map @ constraint.T_map_body, constraint.covariance
    )
