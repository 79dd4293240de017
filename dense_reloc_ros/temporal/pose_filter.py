"""A filter of the poses of a video: smoother ones, and none that do not fit the others."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import chi2

from dense_reloc_ros.errors import InputError
from dense_reloc_ros.geometry.arrays import FloatArray
from dense_reloc_ros.geometry.se3 import checked_rigid
from dense_reloc_ros.temporal.filter_state import (
    FilterState,
    MotionModel,
    OdometryPath,
    OdometryStamp,
)
from dense_reloc_ros.temporal.fusion_configuration import FilterConfiguration

LOST_RADIANS = 1.0
"""A rotation with a larger deviation is not known at all: errors this large are not linear."""
SYMMETRY = 1e-6
"""Of a covariance, relative to its largest value."""


@dataclass(frozen=True)
class FilteredPose:
    """The pose of a body by all measurements so far."""

    T_map_body: FloatArray
    """(4, 4)."""
    covariance: FloatArray
    """(6, 6) of T_map_body in ROS order."""
    is_outlier: bool
    """Whether the measurement of this moment was refused; the pose is a prediction then."""


class PoseFilter:
    """Follows one body through the map; it keeps a state of constant size, and no history.

    Measurements that do not fit are refused, but an alternative state is begun with them. As soon
    as enough of them in a row agree with each other it replaces the state, which must have been
    wrong, or the robot was carried away.
    """

    def __init__(self, configuration: FilterConfiguration) -> None:
        self._motion_model = MotionModel(configuration)
        self._gate = float(chi2.ppf(configuration.gate, df=6))
        self._restart_after = configuration.restart_after
        self._path = OdometryPath()
        self._state: FilterState | None = None
        self._alternative: _Alternative | None = None

    def reset(self) -> None:
        """Forgets all measurements."""
        self._path = OdometryPath()
        self._state = self._alternative = None

    def update(
        self,
        stamp: int,
        T_map_body: FloatArray,
        covariance: FloatArray,
        T_odom_body: FloatArray | None,
        may_be_inexact: bool = False,
    ) -> FilteredPose:
        """The pose (4, 4) at a moment in nanoseconds, after it was measured.

        A moment before the last one counts as the same one: for a jump in time call `reset`.

        Args:
            stamp: nanoseconds.
            T_map_body: measured, (4, 4).
            covariance: of the measurement, (6, 6) in ROS order.
            T_odom_body: (4, 4) by odometry, None where there is none.
            may_be_inexact: whether it is the covariance that is wrong, as that of a blurred image,
                if the measurement does not fit, and not the pose.

        Raises:
            InputError: a pose that is not rigid or finite, or a covariance that is none.
        """
        T_map_body, covariance = checked_rigid(T_map_body), checked_covariance(covariance)
        odometry = self._path.reach(stamp, T_odom_body)
        expected = self._expected(self._state, odometry)
        if expected is None:
            return self._accept(self._motion_model.begin(odometry, T_map_body, covariance))
        doubt = (
            self._motion_model.doubt(expected, T_map_body, covariance) if may_be_inexact else 1.0
        )
        if doubt == 1.0 and self._fits(expected, T_map_body, covariance):
            return self._accept(self._motion_model.correct(expected, T_map_body, covariance))
        self._alternative = self._extended_alternative(odometry, T_map_body, covariance)
        if self._alternative.measurements >= self._restart_after:
            return self._accept(self._alternative.state)
        if may_be_inexact:
            self._state = self._motion_model.correct(expected, T_map_body, covariance, doubt)
            return _filtered(self._state, is_outlier=False)
        return _filtered(expected, is_outlier=True)

    def predict(self, stamp: int, T_odom_body: FloatArray | None) -> FilteredPose | None:
        """The pose at a moment in nanoseconds without a measurement; None where it is unknown.

        Raises:
            InputError: odometry (4, 4) that is not rigid or finite.
        """
        expected = self._expected(self._state, self._path.reach(stamp, T_odom_body))
        return None if expected is None else _filtered(expected, is_outlier=False)

    def _expected(self, state: FilterState | None, odometry: OdometryStamp) -> FilterState | None:
        """A state carried on to a moment; None where nothing is left of it."""
        if state is None:
            return None
        expected = self._motion_model.predict(state, odometry)
        is_lost = np.diag(expected.pose_covariance)[3:].max() > LOST_RADIANS**2
        return None if is_lost else expected

    def _fits(self, state: FilterState, T_map_body: FloatArray, covariance: FloatArray) -> bool:
        return self._motion_model.distance(state, T_map_body, covariance) <= self._gate

    def _accept(self, state: FilterState) -> FilteredPose:
        self._state, self._alternative = state, None
        return _filtered(state, is_outlier=False)

    def _extended_alternative(
        self, odometry: OdometryStamp, T_map_body: FloatArray, covariance: FloatArray
    ) -> _Alternative:
        """Those before with a measurement that agrees with them, or else this one alone."""
        before = self._alternative
        expected = None if before is None else self._expected(before.state, odometry)
        if before is None or expected is None or not self._fits(expected, T_map_body, covariance):
            return _Alternative(self._motion_model.begin(odometry, T_map_body, covariance), 1)
        state = self._motion_model.correct(expected, T_map_body, covariance)
        return _Alternative(state, before.measurements + 1)


@dataclass(frozen=True)
class _Alternative:
    """The state by measurements that the filter refused."""

    state: FilterState
    measurements: int
    """In a row, that agree with each other."""


def _filtered(state: FilterState, is_outlier: bool) -> FilteredPose:
    return FilteredPose(state.T_map_body.copy(), state.pose_covariance.copy(), is_outlier)


def checked_covariance(covariance: FloatArray) -> FloatArray:
    """A covariance (6, 6), made symmetric to the last digit."""
    covariance = np.asarray(covariance, dtype=np.float64)
    if covariance.shape != (6, 6) or not np.isfinite(covariance).all():
        raise InputError(f"a covariance has 6x6 finite values: {covariance.tolist()}")
    if np.abs(covariance - covariance.T).max() > SYMMETRY * np.abs(covariance).max():
        raise InputError("the covariance is not symmetric")
    covariance = (covariance + covariance.T) / 2
    try:
        np.linalg.cholesky(covariance)
    except np.linalg.LinAlgError:
        raise InputError("the covariance is not positive definite") from None
    return covariance
