"""A node beside those under test: it asks services, over DDS, until they answer."""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Event, Thread
from typing import Any, TypeVar

import rclpy
from rclpy.client import Client
from rclpy.context import Context
from rclpy.executors import Executor, SingleThreadedExecutor
from rclpy.node import Node
from rclpy.task import Future

Result = TypeVar("Result")
TIMEOUT_SECONDS = 60.0
"""For anything that happens sooner or later, on however busy a machine."""
PATIENCE_SECONDS = 5.0
"""After this a service is asked again."""


def wait_for(
    condition: Callable[[], Result], what: str, timeout: float = TIMEOUT_SECONDS
) -> Result:
    """The first value of a condition that counts as true."""
    deadline = time.monotonic() + timeout
    while not (value := condition()):
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.01)
    return value


class Spinner:
    """Spins nodes in a thread, until it is closed; then they are destroyed."""

    def __init__(self, executor: Executor, *nodes: Node) -> None:
        self._executor = executor
        self._nodes = nodes
        self._stop = Event()
        for node in nodes:
            executor.add_node(node)
        self._thread = Thread(target=self._spin, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._stop.set()
        self._thread.join()
        self._executor.shutdown()
        for node in self._nodes:
            node.destroy_node()

    def _spin(self) -> None:
        while not self._stop.is_set():
            self._executor.spin_once(timeout_sec=0.1)


class Observer:
    """Sees what other nodes offer, and asks them."""

    def __init__(self, context: Context, name: str = "observer") -> None:
        self.node = rclpy.create_node(name, context=context)
        self._spinner = Spinner(SingleThreadedExecutor(context=context), self.node)
        self._clients: dict[str, Client] = {}

    def close(self) -> None:
        self._spinner.close()

    def call(self, kind: Any, name: str, request: Any, timeout: float = TIMEOUT_SECONDS) -> Any:
        """The response of a service.

        A response is lost where the service has not yet seen who asks, on a busy machine: so it is
        asked again while none comes, which nobody may mind.
        """
        futures: list[Future] = []
        deadline = time.monotonic() + timeout
        while not any(future.done() for future in futures):
            assert time.monotonic() < deadline, f"no answer of {name}"
            futures.append(self.ask(kind, name, request, timeout))
            again = time.monotonic() + PATIENCE_SECONDS
            while time.monotonic() < again and not any(future.done() for future in futures):
                time.sleep(0.005)
        return next(future.result() for future in futures if future.done())

    def ask(self, kind: Any, name: str, request: Any, timeout: float = TIMEOUT_SECONDS) -> Future:
        """What will be the response of a service, when it is there."""
        if name not in self._clients:
            self._clients[name] = self.node.create_client(kind, name)
        assert self._clients[name].wait_for_service(timeout), f"no service {name}"
        return self._clients[name].call_async(request)
