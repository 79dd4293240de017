"""TF through tf2_ros and without it: the same questions, the same answers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from threading import Event, Thread
from typing import Any

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from dense_reloc_ros.geometry.arrays import FloatArray
from dense_reloc_ros.geometry.se3 import rigid

pytest.importorskip("dense_reloc_ros.msg", reason="not built: source install/setup.bash")
import rclpy
from nodes import fake_tf2_ros
from nodes.observer import wait_for
from nodes.robot import transform
from nodes.tf_cases import TfCase, cases
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile
from tf2_msgs.msg import TFMessage

from dense_reloc_ros.nodes import transforms
from dense_reloc_ros.nodes.transform_buffer import TransformError
from dense_reloc_ros.nodes.transforms import (
    TransformPublisher,
    TransformReader,
    open_transforms,
    wait_for_transform,
)

pytestmark = pytest.mark.ros
SECOND = 1_000_000_000
WAYS = {
    "topics": None,
    "like tf2_ros": fake_tf2_ros,
    "tf2_ros": transforms.tf2_ros,
}
"""What TF is read with: a library, or nothing but the topics."""
needs_tf2 = pytest.mark.skipif(transforms.tf2_ros is None, reason="tf2_ros is not installed")


@pytest.fixture
def node(ros_domain: int) -> Iterator[Node]:
    context = Context()
    context.init(domain_id=ros_domain)
    node = rclpy.create_node("listener", context=context)
    executor = SingleThreadedExecutor(context=context)
    executor.add_node(node)
    stop = Event()

    def spin() -> None:
        while not stop.is_set():
            executor.spin_once(timeout_sec=0.1)

    thread = Thread(target=spin, daemon=True)
    thread.start()
    yield node
    stop.set()
    thread.join()
    executor.shutdown()
    node.destroy_node()
    context.try_shutdown()


@pytest.fixture(params=["topics", "like tf2_ros", pytest.param("tf2_ros", marks=needs_tf2)])
def open_reader(
    request: pytest.FixtureRequest, node: Node, monkeypatch: pytest.MonkeyPatch
) -> Callable[[], TransformReader]:
    monkeypatch.setattr(transforms, "tf2_ros", WAYS[request.param])
    return lambda: open_transforms(node)


@pytest.fixture
def reader(open_reader: Callable[[], TransformReader]) -> Iterator[TransformReader]:
    reader = open_reader()
    yield reader
    reader.close()


@pytest.fixture
def say(node: Node, reader: TransformReader) -> Callable[..., None]:
    """Publishes transforms; those without a time are static."""
    latched = QoSProfile(depth=10, durability=DurabilityPolicy.TRANSIENT_LOCAL)
    moving = node.create_publisher(TFMessage, "/tf", 100)
    static = node.create_publisher(TFMessage, "/tf_static", latched)
    for publisher in (moving, static):
        wait_for(publisher.get_subscription_count, "the listener")

    def say(parent: str, child: str, seconds: float | None, pose: FloatArray) -> None:
        message = TFMessage(transforms=[transform(parent, child, seconds or 0.0, pose)])
        (static if seconds is None else moving).publish(message)

    return say


def pose(seed: int) -> FloatArray:
    generator = np.random.default_rng(seed)
    return rigid(Rotation.random(rng=generator).as_matrix(), generator.normal(size=3))


def when_known(reader: TransformReader, *question: Any) -> FloatArray:
    return wait_for_transform(reader, *question, timeout=10)


@pytest.mark.parametrize("case", cases(), ids=lambda case: case.name)
def test_the_same_questions_get_the_same_answers(
    reader: TransformReader, say: Callable[..., None], case: TfCase
) -> None:
    for said in case.said:
        say(*said)
    say("end", "of static", None, np.eye(4))
    say("end", "of moving", 1.0, np.eye(4))
    when_known(reader, "of static", "of moving", SECOND)
    stamp = round(case.seconds * SECOND)
    if case.expected is None:
        with pytest.raises(TransformError):
            reader.lookup(case.target, case.source, stamp)
    else:
        found = reader.lookup(case.target, case.source, stamp)
        np.testing.assert_allclose(found, case.expected, atol=1e-7)


def test_clear_keeps_the_static(reader: TransformReader, say: Callable[..., None]) -> None:
    say("base", "camera", None, pose(2))
    say("odom", "base", 10.0, pose(1))
    when_known(reader, "odom", "camera", 10 * SECOND)
    reader.clear()
    np.testing.assert_allclose(reader.lookup("base", "camera", SECOND), pose(2), atol=1e-9)
    with pytest.raises(TransformError):
        reader.lookup("odom", "base", 10 * SECOND)
    say("odom", "base", 3.0, pose(4))
    found = when_known(reader, "odom", "base", 3 * SECOND)
    np.testing.assert_allclose(found, pose(4), atol=1e-9)


def test_ignores_transforms_that_are_none(
    reader: TransformReader, say: Callable[..., None]
) -> None:
    broken = pose(1)
    broken[0, 3] = np.nan
    say("odom", "base", 10.0, broken)
    say("odom", "odom", 10.0, pose(1))
    say("odom", "base", 11.0, pose(2))
    found = when_known(reader, "odom", "base", 11 * SECOND)
    np.testing.assert_allclose(found, pose(2), atol=1e-9)
    with pytest.raises(TransformError):
        reader.lookup("odom", "base", 10 * SECOND)


def test_published_transforms_are_heard(reader: TransformReader, node: Node) -> None:
    publisher = TransformPublisher(node)
    T_map_odom = pose(5)

    def heard() -> bool:
        publisher.publish("map", "odom", 10 * SECOND + 7, T_map_odom)
        try:
            wait_for_transform(reader, "map", "odom", 10 * SECOND + 7, timeout=0.1)
        except TransformError:
            return False
        return True

    wait_for(heard, "the transform")
    np.testing.assert_allclose(reader.lookup("map", "odom", 0), T_map_odom, atol=1e-9)


def test_waiting_ends_with_the_reason(reader: TransformReader) -> None:
    with pytest.raises(TransformError, match="nowhere"):
        wait_for_transform(reader, "nowhere", "odom", 0, timeout=0.05)


def test_nothing_stays_on_the_node(open_reader: Callable[[], TransformReader], node: Node) -> None:
    def held() -> list[int]:
        kinds = (node.services, node.subscriptions, node.publishers, node.timers, node.clients)
        return [len(list(kind)) for kind in kinds]

    before = held()
    for _ in range(10):
        open_reader().close()
    assert held() == before
