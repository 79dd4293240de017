"""The other side of a bond, as Nav2's lifecycle manager holds it after it has activated a node."""

from __future__ import annotations

import time
from threading import Event, Thread
from uuid import uuid4

from bond.msg import Status
from rclpy.node import Node

PERIOD_SECONDS = 0.1


class ManagerSide:
    """Beats from its own thread; counts the node as dead without a heartbeat for `timeout` s."""

    def __init__(self, node: Node, topic: str, name: str, timeout: float = 4.0) -> None:
        self.count = 0
        """Messages of the node."""
        self.instances: list[str] = []
        """Of the node, in the order in which they came."""
        self.farewells: list[str] = []
        """Instances of the node that have said that they end."""
        self._name = name
        self._timeout = timeout
        self._instance = str(uuid4())
        self._last_heard = time.monotonic()
        self._publisher = node.create_publisher(Status, topic, 5)
        self._subscription = node.create_subscription(Status, topic, self._hear, 100)
        self._node = node
        self._stop = Event()
        self._thread = Thread(target=self._beat, daemon=True)
        self._thread.start()

    @property
    def is_formed(self) -> bool:
        return bool(self.instances) and not self.is_broken

    @property
    def is_broken(self) -> bool:
        return bool(self.farewells) or time.monotonic() - self._last_heard > self._timeout

    def die(self) -> None:
        """Ends without a farewell, as a manager that is killed."""
        if self._stop.is_set():
            return
        self._stop.set()
        self._thread.join()
        self._node.destroy_publisher(self._publisher)
        self._node.destroy_subscription(self._subscription)

    def leave(self) -> None:
        """Says farewell, as before the manager deactivates a node."""
        self._stop.set()
        self._thread.join()
        self._say(is_active=False)

    def _hear(self, message: Status) -> None:
        if message.id != self._name or message.instance_id == self._instance:
            return
        self.count += 1
        self._last_heard = time.monotonic()
        if message.active and message.instance_id not in self.instances:
            self.instances.append(message.instance_id)
        if not message.active and message.instance_id not in self.farewells:
            self.farewells.append(message.instance_id)

    def _beat(self) -> None:
        while not self._stop.wait(PERIOD_SECONDS):
            self._say(is_active=not self.farewells)

    def _say(self, is_active: bool) -> None:
        message = Status(
            id=self._name,
            instance_id=self._instance,
            active=is_active,
            heartbeat_timeout=self._timeout,
            heartbeat_period=PERIOD_SECONDS,
        )
        self._publisher.publish(message)
