"""Reading and writing TF: through tf2_ros where it is installed, and without it where it is not."""

from __future__ import annotations

import time
from typing import Protocol

from geometry_msgs.msg import TransformStamped
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile
from rclpy.time import Time
from tf2_msgs.msg import TFMessage

from dense_reloc_ros.errors import InputError
from dense_reloc_ros.geometry.arrays import FloatArray
from dense_reloc_ros.nodes.conversions import (
    nanoseconds,
    pose_from_transform,
    time_message,
    transform_to_message,
)
from dense_reloc_ros.nodes.transform_buffer import TransformError, TransformHistory

try:
    import tf2_ros
except ImportError:  # not on PyPI
    tf2_ros = None

TF_QOS = QoSProfile(depth=100)
TF_STATIC_QOS = QoSProfile(depth=100, durability=DurabilityPolicy.TRANSIENT_LOCAL)
POLL_SECONDS = 0.005


class TransformReader(Protocol):
    """Knows how frames stood to each other; times are nanoseconds."""

    def lookup(self, target: str, source: str, stamp: int) -> FloatArray:
        """`T_target_source` (4, 4) at a time, at time 0 the newest; raises TransformError."""

    def clear(self) -> None:
        """Forgets everything but static transforms, as after a jump of time."""

    def close(self) -> None:
        """Stops listening."""


def open_transforms(node: Node) -> TransformReader:
    """Starts listening to /tf and /tf_static."""
    return Tf2Transforms(node) if tf2_ros is not None else TopicTransforms(node)


def wait_for_transform(
    transforms: TransformReader, target: str, source: str, stamp: int, timeout: float
) -> FloatArray:
    """`T_target_source` (4, 4) at a time, waiting up to `timeout` seconds of the wall clock for it.

    Another thread must spin the node.

    Raises:
        TransformError: it is still not there; says why.
    """
    deadline = time.monotonic() + timeout
    while True:
        try:
            return transforms.lookup(target, source, stamp)
        except TransformError:
            if time.monotonic() >= deadline:
                raise
        time.sleep(POLL_SECONDS)


class Tf2Transforms:
    """What tf2_ros knows."""

    def __init__(self, node: Node) -> None:
        # Given the node, it would leave a service tf2_frames there that nobody can take away.
        self._buffer = tf2_ros.Buffer()
        self._listener = tf2_ros.TransformListener(self._buffer, node)

    def lookup(self, target: str, source: str, stamp: int) -> FloatArray:
        try:
            found = self._buffer.lookup_transform(target, source, Time(nanoseconds=stamp))
        except tf2_ros.TransformException as error:
            raise TransformError(str(error)) from None
        return pose_from_transform(found.transform)

    def clear(self) -> None:
        self._buffer.clear()

    def close(self) -> None:
        self._listener.unregister()


class TopicTransforms:
    """What was heard on the topics of TF, without tf2."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._history = TransformHistory()
        # Its own group: someone may wait for a transform in a callback of another one.
        group = ReentrantCallbackGroup()
        self._subscriptions = [
            node.create_subscription(TFMessage, "/tf", self._hear, TF_QOS, callback_group=group),
            node.create_subscription(
                TFMessage, "/tf_static", self._hear_static, TF_STATIC_QOS, callback_group=group
            ),
        ]

    def lookup(self, target: str, source: str, stamp: int) -> FloatArray:
        return self._history.lookup(target, source, stamp)

    def clear(self) -> None:
        self._history.clear()

    def close(self) -> None:
        for subscription in self._subscriptions:
            self._node.destroy_subscription(subscription)

    def _hear(self, message: TFMessage) -> None:
        for parent, child, stamp, pose in self._usable(message):
            self._history.insert(parent, child, stamp, pose)

    def _hear_static(self, message: TFMessage) -> None:
        for parent, child, _, pose in self._usable(message):
            self._history.insert_static(parent, child, pose)

    def _usable(self, message: TFMessage) -> list[tuple[str, str, int, FloatArray]]:
        """Parent, child, stamp and pose of the transforms that tf2 would not refuse either."""
        usable = []
        for heard in message.transforms:
            parent, child = heard.header.frame_id, heard.child_frame_id
            try:
                pose = pose_from_transform(heard.transform)
            except InputError as error:
                self._node.get_logger().warning(f"ignored transform of '{child}': {error}")
                continue
            if parent and child and parent != child:
                usable.append((parent, child, nanoseconds(heard.header.stamp), pose))
        return usable


class TransformPublisher:
    """Publishes on /tf, as tf2_ros.TransformBroadcaster does."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._publisher = node.create_publisher(TFMessage, "/tf", TF_QOS)

    def close(self) -> None:
        """Takes the publisher away."""
        self._node.destroy_publisher(self._publisher)

    def publish(self, parent: str, child: str, stamp: int, T_parent_child: FloatArray) -> None:
        """Says where `child` stands in `parent` at a time in nanoseconds."""
        message = TransformStamped(child_frame_id=child)
        message.header.frame_id = parent
        message.header.stamp = time_message(stamp)
        message.transform = transform_to_message(T_parent_child)
        self._publisher.publish(TFMessage(transforms=[message]))
