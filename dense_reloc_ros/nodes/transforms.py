"""What TF says: heard on a node and a thread of its own, so that odometry delays nothing else."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from threading import Condition, Event, Lock, Thread

import rclpy
from geometry_msgs.msg import TransformStamped
from rclpy.impl.implementation_singleton import rclpy_implementation as _rclpy
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile
from rclpy.subscription import Subscription
from tf2_msgs.msg import TFMessage

from dense_reloc_ros.errors import InputError
from dense_reloc_ros.geometry.arrays import FloatArray
from dense_reloc_ros.nodes.conversions import nanoseconds, time_message, transform_to_message
from dense_reloc_ros.nodes.reporting import ChangeReporter
from dense_reloc_ros.nodes.tf_conflicts import TfConflicts
from dense_reloc_ros.nodes.tf_history import new_history
from dense_reloc_ros.nodes.transform_buffer import TransformError
from dense_reloc_ros.stamps import JUMP_NANOSECONDS, NANOSECONDS

TF_QOS = QoSProfile(depth=100)
TF_STATIC_QOS = QoSProfile(depth=100, durability=DurabilityPolicy.TRANSIENT_LOCAL)
HEARD_QOS = QoSProfile(depth=1000)
"""A thread that waits a second for its turn loses no odometry of 1 kHz."""
PAUSE_SECONDS = 0.004
"""After what has come was taken: of faster streams, several messages are taken at once."""
SILENT_SECONDS = 0.1
"""Without any message, after which listeners are told so: some wait for a transform in vain."""
STOP_SECONDS = 1.0
Heard = dict[str, int]
"""Parent frames of what was said on /tf at once, each with its newest stamp (nanoseconds)."""
Listener = Callable[[Heard], None]


class Transforms:
    """How frames stood to each other, as far as /tf and /tf_static have said it.

    It listens while somebody has it open; both nodes of a process may, and /tf is read once. An
    executor would build a wait set for each message, which costs three times as much as reading
    it. This waits with one of its own, and takes all that has come at once.
    """

    def __init__(self, node: Node, reporter: ChangeReporter) -> None:
        self.conflicts = TfConflicts()
        """Between what others publish and what this node does."""
        self._node = node
        self._reporter = reporter
        self._history = new_history()
        self._newest: dict[str, int] = {}
        self._news = Condition()
        self._listeners: list[Listener] = []
        self._opening = Lock()
        self._stop = Event()
        self._thread: Thread | None = None

    def open(self, listener: Listener) -> None:
        """Listens; calls `listener` with what has come, in a thread that it must not hold.

        Where nothing comes, it is called with nothing now and then.
        """
        with self._opening:
            self._listeners = [*self._listeners, listener]
            if self._thread is None:
                self._stop = Event()
                self._thread = Thread(target=self._run, args=(self._stop,), name="tf", daemon=True)
                self._thread.start()

    def close(self, listener: Listener) -> None:
        """Calls the listener no more; after the last one nobody listens to TF, and it forgets."""
        with self._opening:
            self._listeners = [other for other in self._listeners if other != listener]
            if self._listeners or self._thread is None:
                return
            self._stop.set()
            self._thread.join(STOP_SECONDS)
            self._thread = None
            self._history, self._newest = new_history(), {}

    def lookup(self, target: str, source: str, stamp: int, timeout: float = 0.0) -> FloatArray:
        """`T_target_source` (4, 4) at a time in nanoseconds, at time 0 the newest.

        Waits for it for `timeout` seconds of the wall clock.

        Raises:
            TransformError: it is not known; says why.
        """
        deadline = time.monotonic() + timeout
        with self._news:
            while True:
                try:
                    return self._history.lookup(target, source, stamp)
                except TransformError:
                    left = deadline - time.monotonic()
                    if left <= 0:
                        raise
                self._news.wait(left)

    def are_connected(self, target: str, source: str) -> bool:
        """Whether anything is known of how two frames stand to each other, at whatever time."""
        try:
            self._history.lookup(target, source, 0)
        except TransformError:
            return False
        return True

    def clear(self) -> None:
        """Forgets everything but static transforms, as after a jump of time."""
        self._history.clear()
        self._newest = {}

    def _run(self, stop: Event) -> None:
        # Its topics are those of the node, whatever they are remapped to. It is in no executor.
        node = rclpy.create_node(
            f"_{self._node.get_name()}_tf",
            context=self._node.context,
            namespace=self._node.get_namespace(),
            use_global_arguments=False,
            enable_rosout=False,
            start_parameter_services=False,
        )
        moving, static = (
            node.create_subscription(
                TFMessage, self._node.resolve_topic_name(topic), lambda _: None, qos
            )
            for topic, qos in (("/tf", HEARD_QOS), ("/tf_static", TF_STATIC_QOS))
        )
        wait_set = _rclpy.WaitSet(2, 0, 0, 0, 0, 0, self._node.context.handle)
        try:
            while self._node.context.ok() and not stop.wait(PAUSE_SECONDS):
                try:
                    wait_for_any(wait_set, moving, static)
                    self._take(moving, static)
                except Exception as error:  # the thread must live on: others need what it hears
                    self._reporter.problem("transforms", str(error))
        finally:
            node.destroy_node()

    def _take(self, moving: Subscription, static: Subscription) -> None:
        """Takes what has come, and says so."""
        for transform in take_all(static):
            self.conflicts.hear(transform.header.frame_id, transform.child_frame_id, 0)
            self._insert(transform, is_static=True)
        heard: Heard = {}
        for transform in take_all(moving):
            parent, child = transform.header.frame_id, transform.child_frame_id
            stamp = nanoseconds(transform.header.stamp)
            if stamp == 0:  # unset: of now, not of the beginning of all times
                stamp = self._node.get_clock().now().nanoseconds
                transform.header.stamp = time_message(stamp)
            self.conflicts.hear(parent, child, stamp)
            if stamp < self._newest.get(child, 0) - JUMP_NANOSECONDS:
                self.clear()
                heard = {}
            self._newest[child] = max(stamp, self._newest.get(child, 0))
            self._insert(transform, is_static=False)
            heard[parent] = max(stamp, heard.get(parent, 0))
        with self._news:
            self._news.notify_all()
        for listener in self._listeners:
            listener(heard)

    def _insert(self, transform: TransformStamped, is_static: bool) -> None:
        subject = f"transform of '{transform.child_frame_id}'"
        try:
            self._history.insert(transform, is_static)
        except InputError as error:
            self._reporter.problem(subject, f"ignored: {error}")
        else:
            self._reporter.resolved(subject)


def wait_for_any(wait_set: _rclpy.WaitSet, *subscriptions: Subscription) -> None:
    """Sleeps until one of the subscriptions has a message, or none has come for a while."""
    wait_set.clear_entities()
    for subscription in subscriptions:
        wait_set.add_subscription(subscription.handle)
    wait_set.wait(round(SILENT_SECONDS * NANOSECONDS))


def take_all(subscription: Subscription) -> Iterable[TransformStamped]:
    """The transforms in all messages that have come, without slashes before the frames' names."""
    handle = subscription.handle
    with handle:
        while (taken := handle.take_message(TFMessage, False)) is not None:
            for transform in taken[0].transforms:
                transform.header.frame_id = transform.header.frame_id.lstrip("/")
                transform.child_frame_id = transform.child_frame_id.lstrip("/")
                yield transform


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
