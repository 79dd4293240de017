"""A trajectory of odometry, closed by constraints to the map in a pose graph of GTSAM."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation
from scipy.stats import chi2

from dense_reloc_ros.errors import ConfigurationError, InputError
from dense_reloc_ros.geometry.arrays import FloatArray
from dense_reloc_ros.geometry.odometry_noise import OdometryNoise
from dense_reloc_ros.geometry.se3 import inverse
from dense_reloc_ros.geometry.trajectory import Trajectory
from dense_reloc_ros.loop_closure.consistency import odometry_indices
from dense_reloc_ros.loop_closure.constraint import MapConstraint, rotated

Kernel = Literal["none", "huber", "cauchy", "switchable"]
"""What a constraint that fits badly counts: as much as any, or less. `switchable` are switchable
constraints in closed form (Agarwal et al., Robust Map Optimization using Dynamic Covariance
Scaling, ICRA 2013): it lets go of a constraint altogether."""
KERNELS: tuple[Kernel, ...] = get_args(Kernel)
RELATIVE_ERROR = 1e-9
"""The optimization ends where a step improves the sum of squares by less."""
_ORDER = [3, 4, 5, 0, 1, 2]
"""GTSAM has rotations before translations."""


def close_trajectory(
    odometry: Trajectory,
    constraints: Sequence[MapConstraint],
    noise: OdometryNoise,
    kernel: Kernel = "none",
) -> Trajectory:
    """T_map_body at the times of the odometry T_odom_body, that which fits both best.

    Raises:
        InputError: no constraints, or one of a time at which there is no odometry.
        ConfigurationError: GTSAM is not installed.
    """
    if not constraints:
        raise InputError("there are no constraints to close the trajectory with")
    gtsam = _gtsam()
    indices = odometry_indices(constraints, odometry)
    graph, values = gtsam.NonlinearFactorGraph(), gtsam.Values()
    steps = inverse(odometry.poses[:-1]) @ odometry.poses[1:]
    for index, (step, covariance) in enumerate(
        zip(steps, _step_covariances(odometry, steps, noise), strict=True)
    ):
        model = _noise_model(gtsam, covariance, step[:3, :3])
        graph.add(gtsam.BetweenFactorPose3(index, index + 1, gtsam.Pose3(step), model))
    for index, constraint in zip(indices.tolist(), constraints, strict=True):
        pose = constraint.T_map_body
        model = _robust(gtsam, _noise_model(gtsam, constraint.covariance, pose[:3, :3]), kernel)
        graph.add(gtsam.PriorFactorPose3(index, gtsam.Pose3(pose), model))
    T_map_odom = start(odometry, constraints, indices)
    for index, pose in enumerate(T_map_odom @ odometry.poses):
        values.insert(index, gtsam.Pose3(pose))
    parameters = gtsam.LevenbergMarquardtParams()
    parameters.setRelativeErrorTol(RELATIVE_ERROR)
    closed = gtsam.LevenbergMarquardtOptimizer(graph, values, parameters).optimize()
    poses = np.array([closed.atPose3(index).matrix() for index in range(len(odometry))])
    return Trajectory(odometry.stamps, poses)


def start(
    odometry: Trajectory, constraints: Sequence[MapConstraint], indices: NDArray[np.int64]
) -> FloatArray:
    """T_map_odom (4, 4) to begin with: that of the constraint which the others are nearest to.

    The first one may be wrong, and kernels that let go of constraints then keep the wrong ones.
    """
    T_map_body = np.array([constraint.T_map_body for constraint in constraints])
    T_map_odom = T_map_body @ inverse(odometry.poses[indices])
    places = T_map_odom @ np.append(odometry.poses[:, :3, 3].mean(axis=0), 1.0)
    apart = np.linalg.norm(places[:, None] - places[None], axis=-1)
    return np.asarray(T_map_odom[np.median(apart, axis=1).argmin()])


def _step_covariances(odometry: Trajectory, steps: FloatArray, noise: OdometryNoise) -> FloatArray:
    lengths = np.linalg.norm(steps[:, :3, 3], axis=1)
    angles = np.linalg.norm(Rotation.from_matrix(steps[:, :3, :3]).as_rotvec(), axis=1)
    return noise.covariances(lengths, angles, np.diff(odometry.stamps) / 1e9)


def _noise_model(gtsam: Any, covariance: FloatArray, rotation: FloatArray) -> Any:
    """GTSAM's errors are those about the axes of the body, by its rotation in the fixed frame."""
    of_body = rotated(covariance, rotation.T)[np.ix_(_ORDER, _ORDER)]
    return gtsam.noiseModel.Gaussian.Covariance(of_body)


def _robust(gtsam: Any, model: Any, kernel: Kernel) -> Any:
    """The limit of all kernels is the distance that 95% of right constraints keep."""
    estimators, square = gtsam.noiseModel.mEstimator, float(chi2.ppf(0.95, df=6))
    if kernel == "none":
        return model
    if kernel == "huber":
        estimator = estimators.Huber.Create(square**0.5)
    elif kernel == "cauchy":
        estimator = estimators.Cauchy.Create(square**0.5)
    elif kernel == "switchable":
        estimator = estimators.DCS.Create(square)
    else:
        raise ConfigurationError(f"unknown kernel '{kernel}' (known: {', '.join(KERNELS)})")
    return gtsam.noiseModel.Robust.Create(estimator, model)


def _gtsam() -> Any:
    try:
        import gtsam
    except ImportError:
        raise ConfigurationError(
            "closing a pose graph takes GTSAM: pip install gtsam (Python 3.11 or later)"
        ) from None
    return gtsam
