"""The state of the pose filter: carried on by the motion, corrected by measured poses.

An error-state Kalman filter. The pose is kept as a matrix and its error as six values in ROS order,
rotations about the fixed axes of the map, as in the covariances of measurements.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.linalg import cho_factor, cho_solve
from scipy.spatial.transform import Rotation
from scipy.stats import chi2

from dense_reloc_ros.geometry.arrays import FloatArray
from dense_reloc_ros.geometry.se3 import (
    checked_rigid,
    inverse,
    pose_error,
    project_to_so3,
    rigid,
)
from dense_reloc_ros.stamps import NANOSECONDS
from dense_reloc_ros.temporal.fusion_configuration import FilterConfiguration

POSE, TWIST, COMMON = slice(0, 6), slice(6, 12), slice(12, 18)
"""Where the errors of pose, twist and common error lie in the covariance of a state."""
SIZE = 18
UNUSUAL = float(chi2.ppf(0.95, df=6))
"""Squared Mahalanobis distance that 95% of right poses are below."""


@dataclass(frozen=True)
class OdometryStamp:
    """A time, and where the body was then by odometry, if there is any."""

    stamp: int
    """Nanoseconds."""
    T_odom_body: FloatArray | None = None
    """(4, 4)."""
    distance: float = 0.0
    """Metres travelled until then, by odometry."""
    angle: float = 0.0
    """Radians turned until then, by odometry."""


class OdometryPath:
    """Measures the way of a body by odometry, from moment to moment."""

    def __init__(self) -> None:
        self._last: OdometryStamp | None = None

    def reach(self, stamp: int, T_odom_body: FloatArray | None) -> OdometryStamp:
        """The stamp of a moment in nanoseconds, with the length of the way there.

        Raises:
            InputError: odometry (4, 4) that is not rigid or finite.
        """
        last = self._last or OdometryStamp(stamp)
        if T_odom_body is None:
            return replace(last, stamp=stamp, T_odom_body=None)
        T_odom_body = checked_rigid(T_odom_body)
        step = pose_error(
            T_odom_body if last.T_odom_body is None else last.T_odom_body, T_odom_body
        )
        self._last = OdometryStamp(
            stamp, T_odom_body, last.distance + step.translation, last.angle + step.rotation
        )
        return self._last


@dataclass(frozen=True)
class FilterState:
    """The most probable state of a body, and how uncertain it is."""

    odometry: OdometryStamp
    T_map_body: FloatArray
    twist: FloatArray
    """(6,) metres and radians per second along and about the axes of the map; unused as long as
    there is odometry."""
    common: FloatArray
    """(6,) the error that successive measurements have in common, in its standard deviations."""
    covariance: FloatArray
    """(18, 18) of the errors of pose, twist and common error."""

    @property
    def pose_covariance(self) -> FloatArray:
        """(6, 6) of T_map_body in ROS order."""
        return self.covariance[POSE, POSE]


class MotionModel:
    """How states change with time and with measurements.

    The error of a measurement has two parts. One is white noise; the other changes only as the body
    moves, since the same keyframes are off in the same way as long as the view is the same. The
    latter belongs to the state, so that measurements from one place cannot average it out.
    """

    def __init__(self, configuration: FilterConfiguration) -> None:
        self._configuration = configuration
        self._twist_prior = _diagonal(configuration.speed, configuration.turn_rate)

    def begin(
        self, odometry: OdometryStamp, T_map_body: FloatArray, covariance: FloatArray
    ) -> FilterState:
        """The state after one measured pose (4, 4) with its covariance (6, 6)."""
        shared = self._shared_root(covariance)
        errors = np.zeros((SIZE, SIZE))
        errors[POSE, POSE] = covariance
        errors[TWIST, TWIST] = self._twist_prior
        errors[COMMON, COMMON] = np.eye(6)
        errors[POSE, COMMON], errors[COMMON, POSE] = -shared, -shared.T
        return FilterState(odometry, T_map_body, np.zeros(6), np.zeros(6), errors)

    def predict(self, state: FilterState, odometry: OdometryStamp) -> FilterState:
        """The state at a later time, by odometry, or by its velocity where that is missing."""
        before = state.odometry.T_odom_body
        if before is None or odometry.T_odom_body is None:
            return self._predict_by_velocity(state, odometry)
        return self._predict_by_odometry(state, odometry, inverse(before) @ odometry.T_odom_body)

    def distance(self, state: FilterState, T_map_body: FloatArray, covariance: FloatArray) -> float:
        """The squared Mahalanobis distance of a measured pose (4, 4) from that of the state.

        As if the errors had nothing in common: how much they have is not known well enough to
        refuse a measurement that is no further off than its own covariance allows.
        """
        difference = _difference(state.T_map_body, T_map_body)
        spread = cho_factor(state.pose_covariance + covariance)
        return float(difference @ cho_solve(spread, difference))

    def correct(
        self,
        state: FilterState,
        T_map_body: FloatArray,
        covariance: FloatArray,
        doubt: float = 1.0,
    ) -> FilterState:
        """The state after a pose (4, 4) was measured with a covariance (6, 6).

        `doubt` is what the covariance of this measurement alone is larger by than it says.
        """
        shared = self._shared_root(covariance)
        white = (doubt - self._configuration.common_share) * covariance
        innovation = _difference(state.T_map_body, T_map_body) - shared @ state.common
        rows = np.zeros((6, SIZE))
        rows[:, POSE], rows[:, COMMON] = np.eye(6), shared
        spread = cho_factor(rows @ state.covariance @ rows.T + white)
        gain = cho_solve(spread, rows @ state.covariance).T
        change = gain @ innovation
        kept = np.eye(SIZE) - gain @ rows
        # Joseph's form, which stays positive definite.
        errors = kept @ state.covariance @ kept.T + gain @ white @ gain.T
        return FilterState(
            state.odometry,
            _moved(state.T_map_body, change[POSE]),
            state.twist + change[TWIST],
            state.common + change[COMMON],
            (errors + errors.T) / 2,
        )

    def doubt(self, state: FilterState, T_map_body: FloatArray, covariance: FloatArray) -> float:
        """What a measured covariance has to be multiplied by so that the pose fits a state.

        One where it is no further off than 95% are; or else a power of two, with which it is as far
        off as is usual.
        """
        if self.distance(state, T_map_body, covariance) <= UNUSUAL:
            return 1.0
        factor = 2.0
        while self.distance(state, T_map_body, factor * covariance) > len(covariance):
            factor *= 2
        return factor

    def _shared_root(self, covariance: FloatArray) -> FloatArray:
        """Turns the common error from standard deviations into metres and radians."""
        root = np.linalg.cholesky(covariance)
        return np.asarray(np.sqrt(self._configuration.common_share) * root)

    def _predict_by_odometry(
        self, state: FilterState, odometry: OdometryStamp, step: FloatArray
    ) -> FilterState:
        """T_map_odom drifts, at worst always the same way until the next measurement.

        So its variance grows with the square of the way since the last one, and from one
        measurement to the next T_map_odom walks at random.
        """
        one = self._configuration
        distance = odometry.distance - state.odometry.distance
        angle = odometry.angle - state.odometry.angle
        T_map_body = state.T_map_body @ step
        transition = np.eye(SIZE)
        transition[:3, 3:6] = -_cross_matrix(T_map_body[:3, 3] - state.T_map_body[:3, 3])
        transition[TWIST, TWIST] = 0.0
        noise = np.zeros((SIZE, SIZE))
        turned = one.drift * angle + one.heading_drift * distance
        noise[POSE, POSE] = _diagonal(one.drift * distance, turned)
        noise[TWIST, TWIST] = self._twist_prior
        moved = replace(state, odometry=odometry, T_map_body=T_map_body, twist=np.zeros(6))
        return self._carry_on(moved, transition, noise, self._share_kept(distance, angle))

    def _predict_by_velocity(self, state: FilterState, odometry: OdometryStamp) -> FilterState:
        """Constant velocity, disturbed by white-noise acceleration."""
        one = self._configuration
        seconds = max(0.0, (odometry.stamp - state.odometry.stamp) / NANOSECONDS)
        step = state.twist * seconds
        strength = _diagonal(one.acceleration, one.turn_acceleration)
        transition = np.eye(SIZE)
        transition[3:6, 3:6] = Rotation.from_rotvec(step[3:]).as_matrix()
        transition[POSE, TWIST] = seconds * np.eye(6)
        noise = np.zeros((SIZE, SIZE))
        noise[POSE, POSE] = strength * seconds**3 / 3
        noise[POSE, TWIST] = noise[TWIST, POSE] = strength * seconds**2 / 2
        noise[TWIST, TWIST] = strength * seconds
        speed, turn_rate = (_surely(state, part) for part in (slice(0, 3), slice(3, 6)))
        kept = self._share_kept(speed * seconds, turn_rate * seconds)
        moved = replace(state, odometry=odometry, T_map_body=_moved(state.T_map_body, step))
        return self._carry_on(moved, transition, noise, kept)

    def _share_kept(self, distance: float, angle: float) -> float:
        """How much of the common error is the same after a way: a Gauss-Markov process in it."""
        one = self._configuration
        return float(np.exp(-distance / one.common_distance - angle / one.common_angle))

    def _carry_on(
        self, state: FilterState, transition: FloatArray, noise: FloatArray, kept: float
    ) -> FilterState:
        transition[COMMON, COMMON] = kept * np.eye(6)
        noise[COMMON, COMMON] = (1 - kept**2) * np.eye(6)
        errors = transition @ state.covariance @ transition.T + noise
        return replace(state, common=kept * state.common, covariance=(errors + errors.T) / 2)


def _surely(state: FilterState, part: slice) -> float:
    """The part of a velocity that is not just its uncertainty: none while standing still."""
    velocity = state.twist[part]
    variance = np.trace(state.covariance[TWIST, TWIST][part, part])
    return float(np.sqrt(max(0.0, velocity @ velocity - variance)))


def _difference(T_map_body: FloatArray, measured: FloatArray) -> FloatArray:
    """What moves and turns the first pose (4, 4) onto the second: (6,) in the axes of the map."""
    rotation = Rotation.from_matrix(measured[:3, :3] @ T_map_body[:3, :3].T)
    return np.concatenate([measured[:3, 3] - T_map_body[:3, 3], rotation.as_rotvec()])


def _moved(T_map_body: FloatArray, change: FloatArray) -> FloatArray:
    """A pose (4, 4) moved along and turned about the axes of the map by (6,)."""
    rotation = Rotation.from_rotvec(change[3:]).as_matrix() @ T_map_body[:3, :3]
    return rigid(project_to_so3(rotation), T_map_body[:3, 3] + change[:3])


def _diagonal(translation: float, rotation: float) -> FloatArray:
    """A covariance (6, 6) of standard deviations."""
    return np.diag(np.square([translation] * 3 + [rotation] * 3))


def _cross_matrix(vector: FloatArray) -> FloatArray:
    return np.cross(np.eye(3), vector)
