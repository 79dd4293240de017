"""The node's side of a bond, as the lifecycle manager of Nav2 expects it while a node is active."""

from __future__ import annotations

import time
import uuid
from threading import Event, Lock, Thread

import rclpy
from bond.msg import Status
from rclpy.node import Node
from rclpy.qos import QoSProfile

TOPIC = "bond"
TIMEOUT_SECONDS = 4.0
"""Without the other side's heartbeat from which on it counts as dead; what Nav2 asks for."""
CONNECT_SECONDS = 10.0
"""In which the other side must come, if there is one."""
FAREWELL_SECONDS = 0.5
"""For which the end of the bond is said again, until the other side has said so, too."""
FAREWELL_PERIOD_SECONDS = 0.05
STOP_SECONDS = 1.0
SENT_QOS, HEARD_QOS = QoSProfile(depth=5), QoSProfile(depth=100)


class Bond:
    """Says that the node is alive, between `open` and `close`, under a new instance each time.

    The heart beats in a thread and on a node of its own: frames and callbacks cannot stop it. The
    bond ends where the other side says so, dies or never comes; this node goes on all the same, and
    the next `open` begins another one. So does bondcpp.
    """

    def __init__(self, node: Node) -> None:
        self._node = node
        self._lock = Lock()
        self._stop = Event()
        self._thread: Thread | None = None

    def open(self, period: float) -> None:
        """Begins a new instance, with a heartbeat every `period` seconds; 0: no bond."""
        self.close()
        if not period:
            return
        with self._lock:
            self._stop = Event()
            self._thread = Thread(
                target=self._run, args=(self._stop, period), name="bond", daemon=True
            )
            self._thread.start()

    def close(self) -> None:
        """Says that the bond ends; returns when the other side knows it, or does not care."""
        with self._lock:
            thread, self._thread = self._thread, None
            self._stop.set()
        if thread is not None:
            thread.join(FAREWELL_SECONDS + STOP_SECONDS)

    def _run(self, stop: Event, period: float) -> None:
        # Its topic is that of the node, whatever it is remapped to. It is in no executor.
        node = rclpy.create_node(
            f"_{self._node.get_name()}_bond",
            context=self._node.context,
            namespace=self._node.get_namespace(),
            use_global_arguments=False,
            enable_rosout=False,
            start_parameter_services=False,
        )
        try:
            topic, name = self._node.resolve_topic_name(TOPIC), self._node.get_name()
            instance = _Instance(node, topic, name, period)
            while node.context.ok() and instance.beat() and not stop.wait(period):
                pass
            instance.end()
        except Exception as error:
            if node.context.ok():  # what fails while ROS is shut down does not matter
                self._node.get_logger().error(f"the bond ends: {error}")
        finally:
            node.destroy_node()


class _Instance:
    """One side of a bond from its beginning to its end, for one thread."""

    def __init__(self, node: Node, topic: str, name: str, period: float) -> None:
        self._node = node
        self._name = name
        self._period = period
        self._instance = str(uuid.uuid4())
        self._other = ""
        """The instance of the other side, once it was heard."""
        self._has_ended = False
        """Whether the other side has said farewell."""
        self._last_heard = time.monotonic()
        self._publisher = node.create_publisher(Status, topic, SENT_QOS)
        self._subscription = node.create_subscription(Status, topic, lambda _: None, HEARD_QOS)

    def beat(self) -> bool:
        """Hears the other side and says that this one is alive; whether the bond goes on."""
        self._hear()
        limit = TIMEOUT_SECONDS if self._other else CONNECT_SECONDS
        if self._has_ended or time.monotonic() - self._last_heard > limit:
            return False
        self._say(is_active=True)
        return True

    def end(self) -> None:
        """Says farewell until the other side has answered it, if there is one."""
        deadline = time.monotonic() + FAREWELL_SECONDS
        while self._node.context.ok() and time.monotonic() < deadline:
            self._say(is_active=False)
            self._hear()
            if self._has_ended or not self._other:
                return
            time.sleep(FAREWELL_PERIOD_SECONDS)

    def _say(self, is_active: bool) -> None:
        message = Status(
            id=self._name,
            instance_id=self._instance,
            active=is_active,
            heartbeat_timeout=TIMEOUT_SECONDS,
            heartbeat_period=self._period,
        )
        message.header.stamp = self._node.get_clock().now().to_msg()
        self._publisher.publish(message)

    def _hear(self) -> None:
        """Takes what has come from the other side; the first instance heard is that."""
        handle = self._subscription.handle
        with handle:
            while (taken := handle.take_message(Status, False)) is not None:
                message = taken[0]
                if message.id != self._name or message.instance_id == self._instance:
                    continue
                if not self._other and message.active:
                    self._other = message.instance_id
                if message.instance_id == self._other:
                    self._last_heard = time.monotonic()
                    self._has_ended |= not message.active
