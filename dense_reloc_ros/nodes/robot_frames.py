"""Where camera, base and odometry stood to each other when an image was taken."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np

from dense_reloc_ros.geometry.arrays import FloatArray
from dense_reloc_ros.geometry.se3 import inverse
from dense_reloc_ros.localization.floor import FloorConstraint
from dense_reloc_ros.localization.result import Localization
from dense_reloc_ros.nodes.node_configuration import NodeConfiguration
from dense_reloc_ros.nodes.reporting import ChangeReporter
from dense_reloc_ros.nodes.transform_buffer import TransformError
from dense_reloc_ros.nodes.transforms import Transforms

BASE, ODOMETRY, MOUNT = "pose of the base", "odometry", "mount"
"""Subjects of what is reported about transforms."""


@dataclass(frozen=True)
class FrameHeader:
    """When and with which camera an image was taken, and when it came."""

    stamp: int
    """Nanoseconds since the epoch."""
    frame_id: str
    """The optical frame of the camera."""
    received: float
    """By the monotonic clock."""


class RobotFrames:
    """The frames of the robot as the parameters name them; `settings` may be exchanged."""

    def __init__(
        self, settings: NodeConfiguration, transforms: Transforms, reporter: ChangeReporter
    ) -> None:
        self.settings = settings
        self._transforms = transforms
        self._reporter = reporter
        self._waited_in_vain: set[tuple[str, str]] = set()

    def base_frame(self, header: FrameHeader) -> str:
        """The frame whose pose is published: the robot's base, or else the camera's own."""
        return self.settings.base_frame or header.frame_id

    def transform(self, target: str, source: str, header: FrameHeader) -> FloatArray:
        """`T_target_source` when an image was taken, waited for at most until its timeout.

        Raises:
            TransformError: it is not known.
        """
        if target == source:
            return np.eye(4)
        if not header.frame_id:
            raise TransformError(
                "images and camera_info have an empty frame_id; set it in the camera's driver"
            )
        pair, timeout = (target, source), self.time_left(header)
        if pair in self._waited_in_vain and not self._transforms.are_connected(*pair):
            timeout = 0.0  # nobody publishes it: what else is known shall not wait each time
        try:
            T_target_source = self._transforms.lookup(*pair, header.stamp, timeout)
        except TransformError:
            self._waited_in_vain.add(pair)
            raise
        self._waited_in_vain.discard(pair)
        return T_target_source

    def time_left(self, header: FrameHeader) -> float:
        """Seconds for which a transform at the time of an image is still worth waiting."""
        waited = time.monotonic() - header.received
        return max(0.0, self.settings.transform_timeout - waited)

    def say(self, parent: str, child: str, stamp: int) -> None:
        """Takes note of a transform that is about to be published: others may contradict it."""
        self._transforms.conflicts.say(parent, child, stamp)

    def base_in_camera(self, header: FrameHeader) -> FloatArray | None:
        """`T_camera_base` (4, 4), None where TF does not connect them."""
        base_frame = self.base_frame(header)
        return self._known_transform(header.frame_id, base_frame, header, BASE)

    def floor_below(self, header: FrameHeader) -> FloorConstraint | None:
        """What the floor says of the pose of an image; None for a robot that may be anywhere."""
        if not self.settings.planar:
            return None
        return FloorConstraint.of(self.settings.floor, self.base_in_camera(header))

    def up_in_camera(self, header: FrameHeader) -> FloatArray | None:
        """Where the map's z is in the camera, (3,), of a robot on a floor whose mount is known."""
        if not self.settings.planar:
            return None
        T_camera_base = self.base_in_camera_by_now(header)
        return FloorConstraint.of(self.settings.floor, T_camera_base).up_in_camera

    def on_floor(self, localization: Localization, header: FrameHeader) -> Localization:
        """A localization as the floor constrains it, where the robot moves on one."""
        if not localization.is_localized or (floor := self.floor_below(header)) is None:
            return localization
        return floor.apply(localization)

    def base_in_camera_by_now(self, header: FrameHeader) -> FloatArray | None:
        """`T_camera_base` (4, 4) at a time, without waiting; None where it is not known yet."""
        try:
            return self._transforms.lookup(header.frame_id, self.base_frame(header), header.stamp)
        except TransformError:
            return None

    def camera_in_camera(self, other: FrameHeader, header: FrameHeader) -> FloatArray | None:
        """`T_camera_other` (4, 4) of another camera whose image was taken about then.

        With what odometry knows of the robot's motion from one image to the other; None where TF
        does not connect the cameras, which is reported.
        """
        mounted = self._known_transform(
            header.frame_id, other.frame_id, header, f"{MOUNT} of {other.frame_id}"
        )
        if mounted is None or other.stamp == header.stamp or not self.settings.odom_frame:
            return mounted
        try:
            T_odom_camera, T_odom_later = (
                self._transforms.lookup(self.settings.odom_frame, header.frame_id, stamp)
                for stamp in (header.stamp, other.stamp)
            )
        except TransformError:
            return mounted
        return inverse(T_odom_camera) @ T_odom_later @ mounted

    def camera_in_odometry(self, header: FrameHeader) -> FloatArray | None:
        """`T_odom_camera` (4, 4), None where there is no odometry or TF does not know it."""
        odom_frame = self.settings.odom_frame
        if not odom_frame:
            return None
        return self._known_transform(odom_frame, header.frame_id, header, ODOMETRY)

    def camera_in_odometry_by_now(
        self, header: FrameHeader, *, is_needed: bool = True
    ) -> FloatArray | None:
        """The same without waiting: None also where it may still come.

        That it does not come is reported only where it is needed.
        """
        try:
            T_odom_camera = self._transforms.lookup(
                self.settings.odom_frame, header.frame_id, header.stamp
            )
        except TransformError as error:
            if is_needed and not self.time_left(header):
                self._reporter.problem(ODOMETRY, str(error), state="unknown")
            return None
        self._reporter.resolved(ODOMETRY)
        return T_odom_camera

    def base_in_odometry(self, stamp: int) -> FloatArray | None:
        """`T_odom_base` (4, 4) at a time in nanoseconds, or else the newest; None without any."""
        if not (self.settings.odom_frame and self.settings.base_frame):
            return None
        for moment in (stamp, 0):
            try:
                return self._transforms.lookup(
                    self.settings.odom_frame, self.settings.base_frame, moment
                )
            except TransformError:
                continue
        return None

    def _known_transform(
        self, target: str, source: str, header: FrameHeader, subject: str
    ) -> FloatArray | None:
        """`T_target_source`, or None where it is not known: that is reported under a subject."""
        try:
            T_target_source = self.transform(target, source, header)
        except TransformError as error:
            self._reporter.problem(subject, str(error), state="unknown")
            return None
        self._reporter.resolved(subject)
        return T_target_source
