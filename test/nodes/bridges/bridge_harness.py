"""A bridge between what a test publishes and what it hears."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from nodes.observer import Observer, Spinner, wait_for
from rclpy.context import Context
from rclpy.executors import MultiThreadedExecutor
from rclpy.node import Node
from rclpy.parameter import Parameter

from dense_reloc_ros.geometry.arrays import FloatArray
from dense_reloc_ros.msg import LoopClosure, RelocResult
from dense_reloc_ros.nodes.conversions import pose_to_message, time_message

COVARIANCE = np.diag([1.0, 4.0, 9.0, 0.25, 0.5, 1.0]) * 1e-4


class BridgeHarness:
    """A running bridge and somebody beside it."""

    def __init__(self, context: Context, kind: Callable[..., Node], **parameters: Any) -> None:
        given = [Parameter(name, value=value) for name, value in parameters.items()]
        self.bridge = kind(context=context, parameter_overrides=given)
        self._observer = Observer(context)
        self.node, self.call = self._observer.node, self._observer.call
        self._spinner = Spinner(MultiThreadedExecutor(4, context=context), self.bridge)

    def close(self) -> None:
        self._spinner.close()
        self._observer.close()

    def publisher(self, kind: Any, topic: str) -> Any:
        """One that the bridge hears."""
        publisher = self.node.create_publisher(kind, topic, 10)
        wait_for(publisher.get_subscription_count, f"a listener on {topic}")
        return publisher

    def heard(self, kind: Any, topic: str) -> list[Any]:
        """What the bridge publishes from now on."""
        messages: list[Any] = []
        self.node.create_subscription(kind, topic, messages.append, 10)
        wait_for(lambda: self.bridge.count_subscribers(topic), f"the bridge to see {topic}")
        return messages


def harnesses(domain: int) -> Iterator[Callable[..., BridgeHarness]]:
    """Starts bridges, in a context of a domain, and ends them."""
    context, started = Context(), []
    context.init(domain_id=domain)

    def start(kind: Callable[..., Node], **parameters: Any) -> BridgeHarness:
        started.append(BridgeHarness(context, kind, **parameters))
        return started[-1]

    yield start
    for harness in started:
        harness.close()
    context.try_shutdown()


def result(seconds: float, T_map_base: FloatArray, **changes: Any) -> RelocResult:
    """Of a localized frame."""
    message = RelocResult(base_frame_id="base_link", confidence=0.95)
    message.header.stamp = time_message(round(seconds * 1e9))
    message.header.frame_id = "map"
    message.pose = pose_to_message(T_map_base, COVARIANCE)
    for name, value in changes.items():
        setattr(message, name, value)
    return message


def loop_closure(
    seconds: float,
    T_map_base: FloatArray,
    T_map_keyframe: FloatArray,
    T_base_camera: FloatArray,
    name: str,
) -> LoopClosure:
    """With the seventh keyframe."""
    message = LoopClosure(base_frame_id="base_link", keyframe=7, keyframe_name=name, confidence=0.9)
    message.header.stamp = time_message(round(seconds * 1e9))
    message.header.frame_id = "map"
    message.pose = pose_to_message(T_map_base, COVARIANCE)
    message.mount = pose_to_message(T_base_camera, COVARIANCE).pose
    message.keyframe_pose = pose_to_message(T_map_keyframe, COVARIANCE).pose
    beside = np.linalg.inv(T_map_keyframe) @ T_map_base
    message.pose_in_keyframe = pose_to_message(beside, COVARIANCE)
    return message
