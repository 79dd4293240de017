"""Takes images and camera_info from their topics and hands on the frames worth localizing."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from rclpy.clock import Clock, ClockType
from rclpy.event_handler import SubscriptionEventCallbacks
from rclpy.node import Node
from rclpy.qos import qos_profile_sensor_data
from rclpy.qos_overriding_options import QoSOverridingOptions
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from dense_reloc_ros.nodes.conversions import nanoseconds
from dense_reloc_ros.nodes.frame_pairing import FramePairing
from dense_reloc_ros.nodes.latched import LATCHED
from dense_reloc_ros.nodes.recent_frames import RecentFrames
from dense_reloc_ros.nodes.reporting import ChangeReporter
from dense_reloc_ros.nodes.robot_frames import FrameHeader
from dense_reloc_ros.stamps import JUMP_NANOSECONDS, stamp_or

PATIENCE_SECONDS = 0.1
"""For the camera_info of an image's stamp to come after it."""


@dataclass(frozen=True)
class Frame:
    """An image with its intrinsics as they came."""

    image: Image | CompressedImage
    camera_info: CameraInfo
    received: float
    """When it came, by the monotonic clock."""
    stamp: int
    """Of the image in nanoseconds since the epoch; that of its arrival where it has none."""

    @property
    def header(self) -> FrameHeader:
        """When and with which camera it was taken; the image's own frame goes first."""
        frame_id = str(self.image.header.frame_id or self.camera_info.header.frame_id)
        return FrameHeader(self.stamp, frame_id.lstrip("/"), self.received)


@dataclass(frozen=True)
class _Arrived:
    """An image whose camera_info is not chosen yet."""

    image: Image | CompressedImage
    stamp: int
    received: float


class CameraInput:
    """The camera's topics: pairs images with their camera_info, at most `max_rate` a second.

    An image goes with the camera_info of its stamp, or else with the last one before it. Where
    images have camera_infos of their own, one that comes late is waited for a moment.

    `on_frame` is called with every frame to localize, as long as `is_wanted`; `on_time_jump` when
    time was set back.
    """

    def __init__(
        self,
        node: Node,
        image_transport: str,
        max_rate: Callable[[], float],
        is_wanted: Callable[[], bool],
        on_frame: Callable[[Frame], None],
        on_time_jump: Callable[[], None],
        reporter: ChangeReporter,
        image_topic: str = "image",
        camera_info_topic: str = "camera_info",
    ) -> None:
        self.recent: RecentFrames[Frame] = RecentFrames()
        """The last images that came, also where they were not handed on."""
        self.pairing: FramePairing[CameraInfo] = FramePairing()
        """What came on the topic of camera_info."""
        self.received = 0
        """Images that came."""
        self.last_received = 0.0
        """When the last one came, by the monotonic clock."""
        self.skipped = 0
        """Images that were not handed on: too many for `max_rate`, or late."""
        self.unneeded = 0
        """Images that were not handed on since none was wanted."""
        self._node = node
        self._max_rate = max_rate
        self._is_wanted = is_wanted
        self._on_frame = on_frame
        self._on_time_jump = on_time_jump
        self._reporter = reporter
        self._waiting: _Arrived | None = None
        self._have_their_own = False
        """Whether the last image had a camera_info of its stamp."""
        self._newest_stamp: int | None = None
        self._last_stamp: int | None = None
        # As image_transport does: the compressed topic lies under the image's, also when remapped.
        self.image_topic = node.resolve_topic_name(image_topic)
        message_type = Image
        if image_transport == "compressed":
            self.image_topic += "/compressed"
            message_type = CompressedImage
        group = MutuallyExclusiveCallbackGroup()
        self._subscriptions = [
            node.create_subscription(
                kind,
                topic,
                take,
                qos_profile_sensor_data,
                callback_group=group,
                qos_overriding_options=QoSOverridingOptions.with_default_policies(),
            )
            for kind, topic, take in (
                (message_type, self.image_topic, self._take_image),
                (CameraInfo, camera_info_topic, self._take_camera_info),
            )
        ]
        self.camera_info_topic = self._subscriptions[1].topic_name
        clock = Clock(clock_type=ClockType.STEADY_TIME)
        self._patience = node.create_timer(
            PATIENCE_SECONDS, self._wait_no_longer, callback_group=group, clock=clock
        )
        self._patience.cancel()
        # The other one does not get what was sent before it came, and this one does not match
        # publishers that keep nothing.
        self._subscriptions.append(
            node.create_subscription(
                CameraInfo,
                camera_info_topic,
                self._take_camera_info,
                LATCHED,
                callback_group=group,
                event_callbacks=SubscriptionEventCallbacks(use_default_callbacks=False),
            )
        )

    @property
    def newest(self) -> Frame | None:
        """The last image that came, also where it was not handed on."""
        return next(reversed(self.recent.frames), None)

    def close(self) -> None:
        """Stops listening."""
        self._node.destroy_timer(self._patience)
        for subscription in self._subscriptions:
            self._node.destroy_subscription(subscription)

    def stamp_of(self, message: Image | CompressedImage) -> int:
        """The stamp of an image, or the time where it has none."""
        return stamp_or(nanoseconds(message.header.stamp), self._node.get_clock().now().nanoseconds)

    def _take_camera_info(self, message: CameraInfo) -> None:
        self.pairing.add_info(nanoseconds(message.header.stamp), message)
        self._reporter.resolved("camera_info")
        if self._waiting is not None and (
            self.pairing.has_own(self._waiting.stamp) or not self._have_their_own
        ):
            self._wait_no_longer()

    def _take_image(self, message: Image | CompressedImage) -> None:
        self.received += 1
        self.last_received = time.monotonic()
        if self._waiting is not None:
            self._wait_no_longer()
        stamp = self.stamp_of(message)
        self.pairing.add_image(stamp)
        self._waiting = _Arrived(message, stamp, self.last_received)
        if self._have_their_own and not self.pairing.has_own(stamp):
            self._patience.reset()
        else:
            self._wait_no_longer()

    def _wait_no_longer(self) -> None:
        """Takes the image that waits with what camera_info there is, if there is any."""
        self._patience.cancel()
        if (waiting := self._waiting) is None:
            return
        info = self.pairing.info_for(waiting.stamp)
        if info is not None:
            self._waiting = None
            self._have_their_own = self.pairing.has_own(waiting.stamp)
            self._take(Frame(waiting.image, info, waiting.received, waiting.stamp))
        elif self.received > 1:  # the first may just come before its own
            self._reporter.problem(
                "camera_info", f"images come, but nothing on {self.camera_info_topic}"
            )

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
            self.recent.clear()
            self._on_time_jump()
        self.recent.add(frame.stamp, frame)
        self._newest_stamp = frame.stamp
        if not self._is_wanted():
            self.unneeded += 1
            return
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
