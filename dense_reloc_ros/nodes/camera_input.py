"""Takes images and camera_info from their topics and hands on the frames worth localizing."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from rclpy.node import Node
from rclpy.qos import qos_profile_sensor_data
from rclpy.qos_overriding_options import QoSOverridingOptions
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from dense_reloc_ros.nodes.conversions import nanoseconds
from dense_reloc_ros.nodes.reporting import ChangeReporter
from dense_reloc_ros.nodes.robot_frames import FrameHeader
from dense_reloc_ros.stamps import NANOSECONDS

JUMP_NANOSECONDS = NANOSECONDS
"""Images older than the newest by more than this mean that time was set back, not a detour."""


@dataclass(frozen=True)
class Frame:
    """An image with its intrinsics as they came."""

    image: Image | CompressedImage
    camera_info: CameraInfo
    received: float
    """When it came, by the monotonic clock."""

    @property
    def stamp(self) -> int:
        """Nanoseconds since the epoch."""
        return nanoseconds(self.image.header.stamp)

    @property
    def header(self) -> FrameHeader:
        """When and with which camera it was taken; the image's own frame goes first."""
        frame_id = str(self.image.header.frame_id or self.camera_info.header.frame_id)
        return FrameHeader(self.stamp, frame_id, self.received)


class CameraInput:
    """The camera's topics: pairs images with the newest camera_info, at most `max_rate` a second.

    `on_frame` is called with every frame to localize, `on_time_jump` when time was set back.
    """

    def __init__(
        self,
        node: Node,
        image_transport: str,
        max_rate: Callable[[], float],
        on_frame: Callable[[Frame], None],
        on_time_jump: Callable[[], None],
        reporter: ChangeReporter,
    ) -> None:
        self.newest: Frame | None = None
        """The last image that came, also where it was not handed on."""
        self.camera_info: CameraInfo | None = None
        self.received = 0
        """Images that came."""
        self.last_received = 0.0
        """When the last one came, by the monotonic clock."""
        self.skipped = 0
        """Images that were not handed on: too many for `max_rate`, or late."""
        self._node = node
        self._max_rate = max_rate
        self._on_frame = on_frame
        self._on_time_jump = on_time_jump
        self._reporter = reporter
        self._without_camera_info: Image | CompressedImage | None = None
        self._newest_stamp: int | None = None
        self._last_stamp: int | None = None
        # As image_transport does: the compressed topic lies under the image's, also when remapped.
        self.image_topic = node.resolve_topic_name("image")
        message_type = Image
        if image_transport == "compressed":
            self.image_topic += "/compressed"
            message_type = CompressedImage
        self._subscriptions = [
            node.create_subscription(
                kind,
                topic,
                take,
                qos_profile_sensor_data,
                qos_overriding_options=QoSOverridingOptions.with_default_policies(),
            )
            for kind, topic, take in (
                (message_type, self.image_topic, self._take_image),
                (CameraInfo, "camera_info", self._take_camera_info),
            )
        ]
        self.camera_info_topic = self._subscriptions[1].topic_name

    def close(self) -> None:
        """Stops listening."""
        for subscription in self._subscriptions:
            self._node.destroy_subscription(subscription)

    def _take_camera_info(self, message: CameraInfo) -> None:
        self.camera_info = message
        self._reporter.resolved("camera_info")
        waiting, self._without_camera_info = self._without_camera_info, None
        if waiting is not None:
            self._take(Frame(waiting, message, time.monotonic()))

    def _take_image(self, message: Image | CompressedImage) -> None:
        self.received += 1
        self.last_received = time.monotonic()
        if self.camera_info is None:
            if self._without_camera_info is not None:  # the first may just come before its own
                self._reporter.problem(
                    "camera_info", f"images come, but nothing on {self.camera_info_topic}"
                )
            self._without_camera_info = message
            return
        self._take(Frame(message, self.camera_info, time.monotonic()))

    def _take(self, frame: Frame) -> None:
        if self._newest_stamp is not None and frame.stamp < self._newest_stamp:
            if frame.stamp > self._newest_stamp - JUMP_NANOSECONDS:
                self.skipped += 1  # overtaken by a newer one on its way
                return
            self._node.get_logger().warning(
                f"time jumped back by {(self._newest_stamp - frame.stamp) * 1e-9:.3f} s: "
                "forgetting transforms"
            )
            self._last_stamp = None
            self._on_time_jump()
        self.newest = frame
        self._newest_stamp = frame.stamp
        if self._comes_too_early(frame.stamp):
            self.skipped += 1
            return
        self._last_stamp = frame.stamp
        self._on_frame(frame)

    def _comes_too_early(self, stamp: int) -> bool:
        rate = self._max_rate()
        if rate <= 0 or self._last_stamp is None:
            return False
        # Cameras jitter: a tenth of the period early is on time.
        return 0 < stamp - self._last_stamp < 0.9e9 / rate
