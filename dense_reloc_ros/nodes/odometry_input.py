"""Hears when transforms come on /tf, and when their time is set back."""

from __future__ import annotations

from collections.abc import Callable

from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from rclpy.node import Node
from tf2_msgs.msg import TFMessage

from dense_reloc_ros.nodes.camera_input import JUMP_NANOSECONDS
from dense_reloc_ros.nodes.conversions import nanoseconds
from dense_reloc_ros.nodes.transforms import TF_QOS


class OdometryInput:
    """Calls `on_transform` with parent frame and stamp (nanoseconds) of all that is published.

    `on_time_jump` is called before that where a frame's time was set back.
    """

    def __init__(
        self,
        node: Node,
        on_transform: Callable[[str, int], None],
        on_time_jump: Callable[[], None],
    ) -> None:
        self._node = node
        self._on_transform = on_transform
        self._on_time_jump = on_time_jump
        self._newest: dict[str, int] = {}
        self._subscription = node.create_subscription(
            TFMessage, "/tf", self._hear, TF_QOS, callback_group=MutuallyExclusiveCallbackGroup()
        )

    def close(self) -> None:
        """Stops listening."""
        self._node.destroy_subscription(self._subscription)

    def _hear(self, message: TFMessage) -> None:
        for heard in message.transforms:
            child, stamp = heard.child_frame_id, nanoseconds(heard.header.stamp)
            if stamp < self._newest.get(child, 0) - JUMP_NANOSECONDS:
                self._newest.clear()
                self._on_time_jump()
            self._newest[child] = max(stamp, self._newest.get(child, 0))
            self._on_transform(heard.header.frame_id, stamp)
