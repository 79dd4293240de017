"""TF through tf2_ros and without it: the same questions, the same answers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from threading import Event, Thread, active_count
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

from dense_reloc_ros.nodes import tf_history
from dense_reloc_ros.nodes.reporting import ChangeReporter
from dense_reloc_ros.nodes.transform_buffer import TransformError
from dense_reloc_ros.nodes.transforms import Heard, TransformPublisher, Transforms

pytestmark = pytest.mark.ros
SECOND = 1_000_000_000
WAYS = {
    "topics": None,
    "like tf2_ros": fake_tf2_ros,
    "tf2_ros": tf_history.tf2_ros,
}
"""What TF is kept with: a library, or nothing but what this package has."""
needs_tf2 = pytest.mark.skipif(tf_history.tf2_ros is None, reason="tf2_ros is not installed")
WAYS_HERE = ["topics", "like tf2_ros", pytest.param("tf2_ros", marks=needs_tf2)]


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


def ignore(heard: Heard) -> None:
    pass


@pytest.fixture(params=WAYS_HERE)
def make_reader(
    request: pytest.FixtureRequest, node: Node, monkeypatch: pytest.MonkeyPatch
) -> Callable[[], Transforms]:
    monkeypatch.setattr(tf_history, "tf2_ros", WAYS[request.param])
    return lambda: Transforms(node, ChangeReporter(node.get_logger()))


@pytest.fixture
def reader(make_reader: Callable[[], Transforms]) -> Iterator[Transforms]:
    reader = make_reader()
    reader.open(ignore)
    yield reader
    reader.close(ignore)


@pytest.fixture
def say(node: Node, reader: Transforms) -> Callable[..., None]:
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


def when_known(reader: Transforms, *question: Any) -> FloatArray:
    return reader.lookup(*question, timeout=10)


@pytest.mark.parametrize("case", cases(), ids=lambda case: case.name)
@pytest.mark.parametrize(
    "way", ["topics", "like tf2_ros", pytest.param("tf2_ros", marks=needs_tf2)]
)
def test_the_same_questions_get_the_same_answers(
    way: str, case: TfCase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tf_history, "tf2_ros", WAYS[way])
    history = tf_history.new_history()
    for parent, child, seconds, T_parent_child in case.said:
        said = transform(parent, child, seconds or 0.0, T_parent_child)
        history.insert(said, is_static=seconds is None)
    question = (case.target, case.source, round(case.seconds * SECOND))
    if case.expected is None:
        with pytest.raises(TransformError):
            history.lookup(*question)
    else:
        np.testing.assert_allclose(history.lookup(*question), case.expected, atol=1e-7)


def test_clear_keeps_the_static(reader: Transforms, say: Callable[..., None]) -> None:
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


def test_ignores_transforms_that_are_none(reader: Transforms, say: Callable[..., None]) -> None:
    broken = pose(1)
    broken[0, 3] = np.nan
    say("odom", "base", 10.0, broken)
    say("odom", "odom", 10.0, pose(1))
    say("odom", "base", 11.0, pose(2))
    found = when_known(reader, "odom", "base", 11 * SECOND)
    np.testing.assert_allclose(found, pose(2), atol=1e-9)
    with pytest.raises(TransformError):
        reader.lookup("odom", "base", 10 * SECOND)


def test_published_transforms_are_heard(reader: Transforms, node: Node) -> None:
    publisher = TransformPublisher(node)
    T_map_odom = pose(5)

    def heard() -> bool:
        publisher.publish("map", "odom", 10 * SECOND + 7, T_map_odom)
        try:
            reader.lookup("map", "odom", 10 * SECOND + 7, timeout=0.1)
        except TransformError:
            return False
        return True

    wait_for(heard, "the transform")
    np.testing.assert_allclose(reader.lookup("map", "odom", 0), T_map_odom, atol=1e-9)


def test_waiting_ends_with_the_reason(reader: Transforms) -> None:
    with pytest.raises(TransformError, match="nowhere"):
        reader.lookup("nowhere", "odom", 0, timeout=0.05)


def test_frames_are_connected_when_anything_is_known_of_them(
    reader: Transforms, say: Callable[..., None]
) -> None:
    assert not reader.are_connected("odom", "base")
    say("odom", "base", 10.0, pose(1))
    when_known(reader, "odom", "base", 10 * SECOND)
    assert reader.are_connected("odom", "base")
    assert not reader.are_connected("odom", "camera")


def test_time_that_jumps_back_clears_what_was_heard(
    reader: Transforms, say: Callable[..., None]
) -> None:
    say("base", "camera", None, pose(2))
    say("odom", "base", 10.0, pose(1))
    when_known(reader, "odom", "camera", 10 * SECOND)
    say("odom", "base", 3.0, pose(4))
    when_known(reader, "odom", "camera", 3 * SECOND)
    with pytest.raises(TransformError):
        reader.lookup("odom", "base", 10 * SECOND)


def test_what_comes_at_once_is_said_once(make_reader: Callable[[], Transforms], node: Node) -> None:
    reader, batches = make_reader(), [[]]

    def listen(heard: Heard) -> None:
        batches.append(dict(heard))

    reader.open(listen)
    publisher = node.create_publisher(TFMessage, "/tf", 100)
    wait_for(publisher.get_subscription_count, "the listener")
    poses = [transform("odom", "base", 1.0 + i / 1000, pose(1)) for i in range(200)]
    publisher.publish(TFMessage(transforms=[*poses, transform("base", "hand", 0.5, pose(2))]))
    wait_for(lambda: any(batches), "what was said")
    assert [heard for heard in batches if heard] == [
        {"odom": round(1.199 * SECOND), "base": SECOND // 2}
    ]
    reader.close(listen)


def test_it_listens_until_the_last_one_closes_it_and_leaves_nothing(
    make_reader: Callable[[], Transforms], node: Node
) -> None:
    def held() -> list[int]:
        kinds = (node.services, node.subscriptions, node.publishers, node.timers, node.clients)
        return [len(list(kind)) for kind in kinds]

    def other(heard: Heard) -> None:
        pass

    before, threads = held(), active_count()
    reader = make_reader()
    for _ in range(10):
        reader.open(ignore)
        reader.open(other)
        wait_for(lambda: node.count_subscribers("/tf"), "the subscription")
        reader.close(other)
        assert node.count_subscribers("/tf") == 1
        reader.close(ignore)
        wait_for(lambda: not node.count_subscribers("/tf"), "the subscription to go")
    assert (held(), active_count()) == (before, threads)
