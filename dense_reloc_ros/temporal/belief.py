"""Whether a robot knows where it is in the map: found, tracked, unsure, carried away or lost."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import numpy as np
from scipy.stats import chi2

from dense_reloc_ros.geometry.arrays import FloatArray
from dense_reloc_ros.geometry.se3 import checked_rigid, pose_error
from dense_reloc_ros.stamps import JUMP_NANOSECONDS, NANOSECONDS
from dense_reloc_ros.temporal.filter_state import (
    FilterState,
    MotionModel,
    OdometryPath,
    OdometryStamp,
)
from dense_reloc_ros.temporal.fusion_configuration import (
    BeliefConfiguration,
    FilterConfiguration,
    MotionConfiguration,
)
from dense_reloc_ros.temporal.pose_filter import checked_covariance

NO_POSE = "no pose yet"
TIME_JUMPED = "time jumped back"
"""Reasons for being lost, besides those of `Belief.forget`."""
AGREEING = 2
"""Poses that find a lost robot where none of them is sure."""
UNSURE_SHARE = 0.25
"""Of the error from which on a robot is lost, from which on it is unsure."""
SECONDS_WITHOUT_ODOMETRY = 5.0
"""After which a robot whose odometry nobody knows may be anywhere."""
SAME_PLACE_METRES, SAME_PLACE_RADIANS = 0.1, np.radians(3.0)
"""Poses this near to each other do not contradict each other, however sure they are."""


class State(Enum):
    """How well a robot knows where it is."""

    LOST = 0
    UNSURE = 1
    TRACKING = 2


class Event(Enum):
    """What has just happened."""

    NONE = 0
    LOST = 1
    RELOCALIZED = 2
    """A lost robot was found, as for the first time."""
    KIDNAPPED = 3
    """The robot is elsewhere than believed, and tracked there from now on."""


@dataclass(frozen=True)
class Fix:
    """A pose that was published."""

    T_map_body: FloatArray
    """(4, 4)."""
    covariance: FloatArray
    """(6, 6) in ROS order."""
    confidence: float


@dataclass(frozen=True)
class Standing:
    """What is believed at a moment, and since when."""

    state: State
    since: int
    """Nanoseconds."""
    reason: str
    """Why it is not TRACKING; empty when it is."""
    at: int
    """The moment, nanoseconds."""
    event: Event = Event.NONE
    """Of this moment."""


@dataclass(frozen=True)
class _Candidate:
    """Where the robot may be, by the last of some poses that agree."""

    state: FilterState
    poses: int
    """In a row."""


class Belief:
    """Follows the believed pose of one body, from fix to fix by its odometry.

    A fix that lies further from the believed pose than both covariances allow contradicts it. As
    many in a row as `restart_after` that agree with each other are believed instead: the robot was
    carried away. As many that do not agree with each other leave it lost. Frames without a pose
    contradict nothing: a dark corridor lets the covariance grow, and that is all.

    `is_kept`: a pose is believed however old it is, and however far odometry has come since.
    """

    def __init__(
        self,
        configuration: BeliefConfiguration,
        motion: MotionConfiguration,
        *,
        is_kept: bool = False,
    ) -> None:
        self._configuration = configuration
        self._is_kept = is_kept
        self._restart_after = motion.restart_after
        self._gate = float(chi2.ppf(motion.gate, df=6))
        self._motion = MotionModel(FilterConfiguration.model_validate(motion.model_dump()))
        self._path = OdometryPath()
        self._believed: FilterState | None = None
        self._candidate: _Candidate | None = None
        self._contradictions = 0
        self._newest: int | None = None
        """Stamp of a frame; odometry may be far ahead of slow ones."""
        self._loss = NO_POSE
        self.standing = Standing(State.LOST, 0, NO_POSE, 0)
        """At the last moment that was told."""

    @property
    def is_known(self) -> bool:
        """Whether there is a pose to act on."""
        return self._believed is not None

    @property
    def contradictions(self) -> int:
        """How many poses in a row contradict the believed one."""
        return self._contradictions

    def forget(self, stamp: int, reason: str) -> Standing:
        """Leaves the robot lost, as where the map was exchanged."""
        self._begin_anew(reason)
        return self._settle(OdometryStamp(stamp), Event.NONE)

    def observe(self, stamp: int, fix: Fix | None, T_odom_body: FloatArray | None) -> Standing:
        """What is believed after a frame, with its fix or None where it has no pose.

        Args:
            stamp: of the frame, nanoseconds. One far before the last begins anew.
            fix: the pose that is published.
            T_odom_body: (4, 4) by odometry at that time, None where that is not known.

        Raises:
            InputError: a pose or odometry that is not rigid or finite, or no covariance.
        """
        if self._newest is not None and stamp < self._newest - JUMP_NANOSECONDS:
            self._begin_anew(TIME_JUMPED)
        self._newest = stamp if self._newest is None else max(stamp, self._newest)
        odometry = self._path.reach(stamp, T_odom_body)
        self._expire(odometry)
        return self._settle(odometry, Event.NONE if fix is None else self._weigh(fix, odometry))

    def predict(self, stamp: int, T_odom_body: FloatArray | None) -> FilterState | None:
        """The believed pose carried on to a moment, with its covariance; None while lost.

        Raises:
            InputError: odometry that is not rigid or finite.
        """
        odometry = self._path.reach(stamp, T_odom_body)
        self._expire(odometry)
        self._settle(odometry, Event.NONE)
        return self._carried(self._believed, odometry)

    def _begin_anew(self, reason: str) -> None:
        self._path = OdometryPath()
        self._candidate = self._newest = None
        self._lose(reason)

    def _weigh(self, fix: Fix, odometry: OdometryStamp) -> Event:
        """Takes a fix for the believed pose, for that of a candidate, or for a contradiction."""
        covariance = checked_covariance(fix.covariance)
        measured = self._motion.begin(odometry, checked_rigid(fix.T_map_body), covariance)
        if self._fits(self._carried(self._believed, odometry), fix):
            return self._believe(measured, Event.NONE)
        before = self._candidate
        agrees = before is not None and self._fits(self._carried(before.state, odometry), fix)
        poses = before.poses + 1 if before is not None and agrees else 1
        self._candidate = _Candidate(measured, poses)
        if self._believed is None:
            is_found = poses >= AGREEING or fix.confidence >= self._configuration.sure
            return self._believe(measured, Event.RELOCALIZED) if is_found else Event.NONE
        self._contradictions += 1
        if poses >= self._restart_after:
            return self._believe(measured, Event.KIDNAPPED)
        if self._contradictions >= self._restart_after:
            self._lose(f"{self._contradictions} poses contradict the believed one and each other")
        return Event.NONE

    def _fits(self, expected: FilterState | None, fix: Fix) -> bool:
        if expected is None:
            return False
        off = pose_error(expected.T_map_body, fix.T_map_body)
        if off.translation <= SAME_PLACE_METRES and off.rotation <= SAME_PLACE_RADIANS:
            return True
        return self._motion.distance(expected, fix.T_map_body, fix.covariance) <= self._gate

    def _believe(self, measured: FilterState, event: Event) -> Event:
        self._believed, self._candidate, self._contradictions = measured, None, 0
        return event

    def _lose(self, reason: str) -> None:
        self._believed, self._contradictions, self._loss = None, 0, reason

    def _carried(self, state: FilterState | None, odometry: OdometryStamp) -> FilterState | None:
        return None if state is None else self._motion.predict(state, odometry)

    def _expire(self, odometry: OdometryStamp) -> None:
        """Gives up what is too old, or too uncertain by now."""
        if self._candidate and self._reason_to_give_up(self._candidate.state, odometry):
            self._candidate = None
        if self._is_kept or self._believed is None:
            return
        if reason := self._reason_to_give_up(self._believed, odometry):
            self._lose(reason)

    def _reason_to_give_up(self, state: FilterState, odometry: OdometryStamp) -> str:
        """Why nothing is left of a state at a moment; empty where something is."""
        one, age = self._configuration, _age(state, odometry)
        has_odometry = _share_odometry(state, odometry)
        if age > (one.max_age if has_odometry else min(one.max_age, SECONDS_WITHOUT_ODOMETRY)):
            return f"no pose for {age:.1f} s"
        if self._lost_share(state, odometry) > 1:
            return f"odometry may have drifted too far since the last pose {age:.1f} s ago"
        return ""

    def _lost_share(self, state: FilterState, odometry: OdometryStamp) -> float:
        """How far the error has grown by drift, as a share of the one that makes a robot lost."""
        if not _share_odometry(state, odometry):
            return 0.0
        before, now = _errors(state), _errors(self._motion.predict(state, odometry))
        one = self._configuration
        limits = np.array([one.lost_error_m, np.radians(one.lost_error_deg)])
        return float(((now - before) / limits).max())

    def _settle(self, odometry: OdometryStamp, event: Event) -> Standing:
        """The standing at a moment, and since when the state has been the same."""
        if self._believed is None:
            state, reason = State.LOST, self._loss
        else:
            reason = self._reason_for_doubt(self._believed, odometry)
            state = State.UNSURE if reason else State.TRACKING
        last = self.standing
        if state is State.LOST and last.state is not State.LOST:
            event = Event.LOST
        since = last.since if state is last.state and last.since else odometry.stamp
        self.standing = Standing(state, since, reason, odometry.stamp, event)
        return self.standing

    def _reason_for_doubt(self, believed: FilterState, odometry: OdometryStamp) -> str:
        if self._contradictions:
            return "the last pose contradicts the believed one"
        if (age := _age(believed, odometry)) > self._configuration.unsure_after:
            return f"the last pose is {age:.1f} s old"
        if self._lost_share(believed, odometry) > UNSURE_SHARE:
            return "odometry may have drifted since the last pose"
        return ""


def _age(state: FilterState, odometry: OdometryStamp) -> float:
    """Seconds."""
    return (odometry.stamp - state.odometry.stamp) / NANOSECONDS


def _share_odometry(state: FilterState, odometry: OdometryStamp) -> bool:
    return state.odometry.T_odom_body is not None and odometry.T_odom_body is not None


def _errors(state: FilterState) -> FloatArray:
    """The largest standard deviations of position and rotation (2,), metres and radians."""
    covariance = state.pose_covariance
    variances = [
        np.linalg.eigvalsh(block)[-1] for block in (covariance[:3, :3], covariance[3:, 3:])
    ]
    return np.sqrt(variances)
