"""Which constraints agree with each other: pairwise consistency maximization.

Mangelson, Dominic, Eustice, Vasudevan: Pairwise Consistent Measurement Set Maximization for Robust
Multi-robot Map Merging, ICRA 2018. A wrong constraint may look sure of itself; but two right ones
and the odometry between them close a loop, and wrong ones rarely do so with many others.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation
from scipy.stats import chi2

from dense_reloc_ros.errors import InputError
from dense_reloc_ros.geometry.arrays import FloatArray, Mask
from dense_reloc_ros.geometry.odometry_noise import OdometryNoise
from dense_reloc_ros.geometry.se3 import inverse
from dense_reloc_ros.geometry.trajectory import Trajectory, format_stamp
from dense_reloc_ros.loop_closure.constraint import MapConstraint, rotated
from dense_reloc_ros.loop_closure.max_clique import largest_clique

DEFAULT_PROBABILITY = 0.999
"""With which two right constraints count as consistent."""


def consistent_constraints(
    constraints: Sequence[MapConstraint],
    odometry: Trajectory,
    noise: OdometryNoise,
    probability: float = DEFAULT_PROBABILITY,
) -> Mask:
    """(N,) the largest set of constraints of which every two agree, by the odometry T_odom_body.

    Raises:
        InputError: a constraint of a time at which there is no odometry.
    """
    distances = squared_distances(constraints, odometry, noise)
    return largest_clique(distances <= chi2.ppf(probability, df=6))


def squared_distances(
    constraints: Sequence[MapConstraint], odometry: Trajectory, noise: OdometryNoise
) -> FloatArray:
    """(N, N) squared Mahalanobis distances of every two constraints, distributed as chi² of 6.

    The constraint of the earlier one and the odometry predict the later one (eq. 4 of the paper).

    Raises:
        InputError: a constraint of a time at which there is no odometry.
    """
    if not constraints:
        return np.zeros((0, 0))
    indices = odometry_indices(constraints, odometry)
    order = np.argsort(indices, kind="stable")
    first, second = np.triu_indices(len(constraints), k=1)
    first, second = order[first], order[second]
    found = np.zeros((len(constraints), len(constraints)))
    found[first, second] = found[second, first] = _distances(
        constraints, first, second, odometry, indices, noise
    )
    return found


def odometry_indices(
    constraints: Sequence[MapConstraint], odometry: Trajectory
) -> NDArray[np.int64]:
    """(N,) which pose of the odometry each constraint is about; raises InputError."""
    stamps = np.array([constraint.stamp for constraint in constraints], dtype=np.int64)
    indices = odometry.nearest(stamps)
    if (indices < 0).any():
        stamp = format_stamp(stamps[indices < 0][0])
        raise InputError(f"there is no odometry at {stamp} s, the time of a constraint")
    return indices


def _distances(
    constraints: Sequence[MapConstraint],
    first: NDArray[np.int64],
    second: NDArray[np.int64],
    odometry: Trajectory,
    indices: NDArray[np.int64],
    noise: OdometryNoise,
) -> FloatArray:
    poses = np.array([constraint.T_map_body for constraint in constraints])
    covariances = np.array([constraint.covariance for constraint in constraints])
    of_odometry = odometry.poses[indices]
    motion = inverse(of_odometry[first]) @ of_odometry[second]
    predicted = poses[first] @ motion
    residual = np.concatenate(
        [
            predicted[:, :3, 3] - poses[second][:, :3, 3],
            Rotation.from_matrix(
                predicted[:, :3, :3] @ np.swapaxes(poses[second][:, :3, :3], 1, 2)
            ).as_rotvec(),
        ],
        axis=1,
    )
    # Turning the first pose also moves what lies ahead of it.
    lever = poses[first][:, :3, :3] @ motion[:, :3, 3:]
    shift = np.tile(np.eye(6), (len(first), 1, 1))
    shift[:, :3, 3:] = -_hat(lever[..., 0])
    between = noise.covariances(*_ways(odometry, indices[first], indices[second]))
    covariance = (
        shift @ covariances[first] @ np.swapaxes(shift, 1, 2)
        + covariances[second]
        + rotated(between, poses[first][:, :3, :3])
    )
    solved = np.linalg.solve(covariance, residual[..., None])[..., 0]
    return np.asarray((residual * solved).sum(axis=1))


def _ways(
    odometry: Trajectory, begin: NDArray[np.int64], end: NDArray[np.int64]
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Metres, radians and seconds of the ways between poses of the odometry, each (N,)."""
    steps = inverse(odometry.poses[:-1]) @ odometry.poses[1:]
    angles = np.linalg.norm(Rotation.from_matrix(steps[:, :3, :3]).as_rotvec(), axis=1)
    lengths = np.linalg.norm(steps[:, :3, 3], axis=1)
    so_far = (np.concatenate([[0.0], np.cumsum(one)]) for one in (lengths, angles))
    length, angle = (one[end] - one[begin] for one in so_far)
    return length, angle, (odometry.stamps[end] - odometry.stamps[begin]) / 1e9


def _hat(vectors: FloatArray) -> FloatArray:
    """The cross-product matrices (N, 3, 3) of vectors (N, 3)."""
    return np.asarray(np.cross(np.eye(3), vectors[:, None, :]))
