"""A filter of the poses of a video: smoother ones, and none that do not fit the others."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.stats import chi2

from dense_reloc_ros.errors import InputError
from dense_reloc_ros.geometry.arrays import FloatArray
from dense_reloc_ros.geometry.se3 import checked_rigid, pose_error
from dense_reloc_ros.temporal.filter_state import Belief, Dynamics, Place
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
    """Whether the measurement of this moment was not believed; the pose is a prediction then."""


class PoseFilter:
    """Follows one body through the map; it keeps a state of constant size, and no history.

    Measurements that do not fit are not believed, but a second belief is begun with them. As soon
    as enough of them in a row agree with each other it replaces the first one, which must have been
    wrong, or the robot was carried away.
    """

    def __init__(self, configuration: FilterConfiguration) -> None:
        self._dynamics = Dynamics(configuration)
        self._gate = float(chi2.ppf(configuration.gate, df=6))
        self._restart_after = configuration.restart_after
        self._place: Place | None = None
        self._belief: Belief | None = None
        self._doubt: _Doubt | None = None

    def reset(self) -> None:
        """Forgets all measurements."""
        self._place = self._belief = self._doubt = None

    def update(
        self,
        stamp: int,
        T_map_body: FloatArray,
        covariance: FloatArray,
        T_odom_body: FloatArray | None,
    ) -> FilteredPose:
        """The pose (4, 4) at a moment in nanoseconds, after it was measured.

        A moment before the last one counts as the same one: for a jump in time call `reset`.

        Args:
            stamp: nanoseconds.
            T_map_body: measured, (4, 4).
            covariance: of the measurement, (6, 6) in ROS order.
            T_odom_body: (4, 4) by odometry, None where there is none.

        Raises:
            InputError: a pose that is not rigid or finite, or a covariance that is none.
        """
        T_map_body, covariance = checked_rigid(T_map_body), _checked_covariance(covariance)
        place = self._arrive(stamp, T_odom_body)
        expected = self._expected(self._belief, place)
        if expected is None:
            return self._believe(self._dynamics.begin(place, T_map_body, covariance))
        if self._fits(expected, T_map_body, covariance):
            return self._believe(self._dynamics.correct(expected, T_map_body, covariance))
        self._doubt = self._doubted(place, T_map_body, covariance)
        if self._doubt.measurements >= self._restart_after:
            return self._believe(self._doubt.belief)
        return _filtered(expected, is_outlier=True)

    def predict(self, stamp: int, T_odom_body: FloatArray | None) -> FilteredPose | None:
        """The pose at a moment in nanoseconds without a measurement; None where it is unknown.

        Raises:
            InputError: odometry (4, 4) that is not rigid or finite.
        """
        expected = self._expected(self._belief, self._arrive(stamp, T_odom_body))
        return None if expected is None else _filtered(expected, is_outlier=False)

    def _arrive(self, stamp: int, T_odom_body: FloatArray | None) -> Place:
        """The place, with the length of the way there by odometry."""
        last = self._place or Place(stamp)
        if T_odom_body is None:
            return replace(last, stamp=stamp, T_odom_body=None)
        T_odom_body = checked_rigid(T_odom_body)
        step = pose_error(
            T_odom_body if last.T_odom_body is None else last.T_odom_body, T_odom_body
        )
        self._place = Place(
            stamp, T_odom_body, last.distance + step.translation, last.angle + step.rotation
        )
        return self._place

    def _expected(self, belief: Belief | None, place: Place) -> Belief | None:
        """A belief carried on to a place; None where nothing is left of it."""
        if belief is None:
            return None
        expected = self._dynamics.predict(belief, place)
        is_lost = np.diag(expected.pose_covariance)[3:].max() > LOST_RADIANS**2
        return None if is_lost else expected

    def _fits(self, belief: Belief, T_map_body: FloatArray, covariance: FloatArray) -> bool:
        return self._dynamics.distance(belief, T_map_body, covariance) <= self._gate

    def _believe(self, belief: Belief) -> FilteredPose:
        self._belief, self._doubt = belief, None
        return _filtered(belief, is_outlier=False)

    def _doubted(self, place: Place, T_map_body: FloatArray, covariance: FloatArray) -> _Doubt:
        """Those before with a measurement that agrees with them, or else this one alone."""
        before = self._doubt
        expected = None if before is None else self._expected(before.belief, place)
        if before is None or expected is None or not self._fits(expected, T_map_body, covariance):
            return _Doubt(self._dynamics.begin(place, T_map_body, covariance), 1)
        belief = self._dynamics.correct(expected, T_map_body, covariance)
        return _Doubt(belief, before.measurements + 1)


@dataclass(frozen=True)
class _Doubt:
    """What measurements suggest that the filter does not believe."""

    belief: Belief
    measurements: int
    """In a row, that agree with each other."""


def _filtered(belief: Belief, is_outlier: bool) -> FilteredPose:
    return FilteredPose(belief.T_map_body.copy(), belief.pose_covariance.copy(), is_outlier)


def _checked_covariance(covariance: FloatArray) -> FloatArray:
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
