"""Bodies that move as a filter assumes, and measurements of them with errors as it assumes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.random import Generator
from scipy.spatial.transform import Rotation

from dense_reloc_ros.geometry.arrays import FloatArray
from dense_reloc_ros.geometry.se3 import inverse, rigid
from dense_reloc_ros.temporal.fusion_configuration import FilterConfiguration
from dense_reloc_ros.temporal.pose_filter import FilteredPose, PoseFilter

PERIOD = 1 / 15
"""Seconds."""
DEVIATIONS = np.array([0.01, 0.01, 0.01, *np.radians([0.3, 0.3, 0.3])])
COVARIANCE = np.diag(DEVIATIONS**2)


@dataclass(frozen=True)
class Moment:
    """What a filter is told, and the truth."""

    stamp: int
    T_map_body: FloatArray
    measured: FloatArray
    T_odom_body: FloatArray | None


def stamp_of(number: int) -> int:
    """Of a frame, nanoseconds."""
    return round(number * PERIOD * 1e9)


def moved(pose: FloatArray, change: FloatArray) -> FloatArray:
    """A pose moved along and turned about the axes of the map."""
    turn = Rotation.from_rotvec(change[3:]).as_matrix()
    return rigid(turn @ pose[:3, :3], pose[:3, 3] + change[:3])


def difference(pose: FloatArray, other: FloatArray) -> FloatArray:
    """What `moved` moves the first pose onto the other by."""
    turn = Rotation.from_matrix(other[:3, :3] @ pose[:3, :3].T).as_rotvec()
    return np.concatenate([other[:3, 3] - pose[:3, 3], turn])


def normalized_error(truth: FloatArray, found: FilteredPose) -> float:
    """The squared error in units of the covariance (NEES)."""
    error = difference(found.T_map_body, truth)
    return float(error @ np.linalg.solve(found.covariance, error))


def walk(
    steps: int, share: float, rng: Generator, length: float = 0.05, turn: float = 0.03
) -> Iterator[Moment]:
    """Steps straight ahead, each turned about the vertical; odometry drifts by `share` of each.

    Measurements have an error that they share as long as the body stands still.
    """
    configuration = FilterConfiguration()
    truth = moved(np.eye(4), rng.normal(size=6))
    T_odom_body, common = np.eye(4), rng.normal(size=6)
    kept = np.exp(-length / configuration.common_distance - turn / configuration.common_angle)
    for number in range(steps):
        yield Moment(stamp_of(number), truth, _measured(truth, common, rng), T_odom_body)
        step = rigid(Rotation.from_rotvec([0, 0, turn]).as_matrix(), np.array([length, 0, 0]))
        T_odom_body = T_odom_body @ step
        heading = share * turn + configuration.heading_drift * length
        drift = rng.normal(size=6) * np.repeat([share * length, heading], 3)
        truth = moved(truth @ step, drift)
        common = kept * common + np.sqrt(1 - kept**2) * rng.normal(size=6)


def fly(steps: int, configuration: FilterConfiguration, rng: Generator) -> Iterator[Moment]:
    """At a velocity that white-noise acceleration changes, without odometry.

    The common error of measurements does not change.
    """
    one = configuration
    twist = rng.normal(size=6) * np.repeat([one.speed, one.turn_rate], 3)
    root = np.repeat([one.acceleration, one.turn_acceleration], 3)
    # The covariance of change of place and of velocity within a period, for unit acceleration.
    within = np.array([[PERIOD**3 / 3, PERIOD**2 / 2], [PERIOD**2 / 2, PERIOD]])
    truth, common = moved(np.eye(4), rng.normal(size=6)), rng.normal(size=6)
    for number in range(steps):
        measured = _measured(truth, common, rng, one.common_share)
        yield Moment(stamp_of(number), truth, measured, None)
        place, speed = root * (np.linalg.cholesky(within) @ rng.normal(size=(2, 6)))
        truth, twist = moved(truth, twist * PERIOD + place), twist + speed


def _measured(
    truth: FloatArray,
    common: FloatArray,
    rng: Generator,
    share: float = FilterConfiguration().common_share,
) -> FloatArray:
    error = np.sqrt(share) * common + np.sqrt(1 - share) * rng.normal(size=6)
    return moved(truth, DEVIATIONS * error)


def odometry_to_map(T_map_body: FloatArray, T_odom_body: FloatArray) -> FloatArray:
    """T_map_odom."""
    return T_map_body @ inverse(T_odom_body)


def without_odometry(moments: list[Moment]) -> list[Moment]:
    """The same, of a body without odometry."""
    return [replace(moment, T_odom_body=None) for moment in moments]


def told(pose_filter: PoseFilter, moment: Moment) -> FilteredPose:
    """What a filter says after a moment's measurement."""
    return pose_filter.update(moment.stamp, moment.measured, COVARIANCE, moment.T_odom_body)


def is_sound(found: FilteredPose) -> bool:
    """Finite, a rigid motion, and a covariance that is one."""
    rotation = found.T_map_body[:3, :3]
    return bool(
        np.isfinite(found.T_map_body).all()
        and np.allclose(rotation @ rotation.T, np.eye(3), atol=1e-12)
        and np.linalg.det(rotation) > 0
        and np.array_equal(found.covariance, found.covariance.T)
        and np.linalg.eigvalsh(found.covariance).min() > 0
    )
