"""What was heard on a drive, held against the truth."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from nodes.poses import matrix
from system.building_drive import Drive
from system.building_maps import T_ROOM_MAP
from system.driver import Heard

from dense_reloc_ros.geometry.arrays import FloatArray
from dense_reloc_ros.geometry.se3 import PoseError, pose_error
from dense_reloc_ros.msg import LocalizationState
from dense_reloc_ros.nodes.conversions import nanoseconds
from dense_reloc_ros.stamps import NANOSECONDS

TRANSFORM_TOLERANCE = NANOSECONDS // 10
"""By which temporal_fusion dates its transform after the odometry."""
LOST, UNSURE, TRACKING = (
    LocalizationState.LOST,
    LocalizationState.UNSURE,
    LocalizationState.TRACKING,
)


@dataclass(frozen=True)
class Placed:
    """A message that says where the base is."""

    stamp: int
    """Of the odometry or image, nanoseconds."""
    error: PoseError
    deviation: float = 0.0
    """Metres: root of the trace of the position's covariance; 0 where there is none."""


class Judgement:
    """Errors of all that was heard."""

    def __init__(self, drive: Drive, heard: Heard) -> None:
        self.drive, self.heard = drive, heard
        self.kidnapped, self.switched = (
            int(drive.stamps[index]) for index in (drive.kidnapped, drive.switched)
        )
        self._state_stamps = [stamp_of(state) for state in heard.states]

    def truth(self, stamp: int) -> FloatArray:
        """T_map_base (4, 4) in the map of that time."""
        T_building_base = self.drive.T_map_base[self.drive.at(stamp)]
        return T_ROOM_MAP @ T_building_base if stamp >= self.switched else T_building_base

    def placed(self, messages: Iterable[Any]) -> list[Placed]:
        """Of messages with a stamped pose with covariance."""
        found = []
        for message in messages:
            stamp = stamp_of(message)
            error = pose_error(self.truth(stamp), matrix(message.pose.pose))
            positions = np.array(message.pose.covariance).reshape(6, 6)[:3, :3]
            found.append(Placed(stamp, error, float(np.sqrt(np.trace(positions)))))
        return found

    def by_transform(self, state: int) -> list[Placed]:
        """Where map -> odom puts the base by the odometry of its time, while the state is this."""
        found = []
        for transform in self.heard.transforms:
            stamp = stamp_of(transform) - TRANSFORM_TOLERANCE
            if self.state_at(stamp) == state:
                T_odom_base = self.drive.T_odom_base[self.drive.at(stamp)]
                T_map_base = matrix(transform.transform) @ T_odom_base
                found.append(Placed(stamp, pose_error(self.truth(stamp), T_map_base)))
        return found

    def state_at(self, stamp: int) -> int:
        """The state at a time; the worse one at the time of a change.

        The transform comes with the odometry, and then once more with the image of the same time,
        a nanosecond later: so the first one belongs to the state before.
        """
        before = bisect_left(self._state_stamps, stamp)
        states = [self.heard.states[before - 1].state] if before else [LOST]
        if before < len(self._state_stamps) and self._state_stamps[before] == stamp:
            states.append(self.heard.states[before].state)
        return int(min(states))

    def is_carried(self, stamp: int) -> bool:
        """Whether the robot has been kidnapped, and not been found since."""
        return self.kidnapped <= stamp <= self.found_after(self.kidnapped)

    def found_after(self, stamp: int) -> int:
        """When the robot was found for the first time after a moment."""
        finding = (LocalizationState.RELOCALIZED, LocalizationState.KIDNAPPED)
        return next(
            found
            for found, state in zip(self._state_stamps, self.heard.states, strict=True)
            if state.event in finding and found >= stamp
        )

    def first_clear_image(self, stamp: int) -> int:
        """Of the first one from a moment on."""
        drive = self.drive
        return next(
            int(drive.stamps[index])
            for index in drive.images
            if drive.stamps[index] >= stamp and drive.light[index] == 1
        )


def stamp_of(message: Any) -> int:
    """Nanoseconds."""
    return nanoseconds(message.header.stamp)


def worst(placed: Sequence[Placed]) -> tuple[float, float]:
    """The largest distance in metres and the largest angle in degrees."""
    translations = [one.error.translation for one in placed]
    return max(translations), float(np.degrees(max(one.error.rotation for one in placed)))


def median(placed: Sequence[Placed]) -> tuple[float, float]:
    """Of the distances in metres and of the angles in degrees."""
    translation, rotation = np.median(
        [(one.error.translation, one.error.rotation) for one in placed], axis=0
    )
    return float(translation), float(np.degrees(rotation))
