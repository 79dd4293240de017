"""ROS for the tests, apart from whatever else runs on this machine."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest


@pytest.fixture
def ros_domain(monkeypatch: pytest.MonkeyPatch) -> int:
    """A domain of this process's own, on this machine only; also for child processes."""
    domain = os.getpid() % 100 + 1
    monkeypatch.setenv("ROS_DOMAIN_ID", str(domain))
    monkeypatch.setenv("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    return domain


@pytest.fixture
def start(ros_domain: int) -> Iterator[Callable[..., Any]]:
    """Starts a `Harness` with maps and parameters of the node."""
    pytest.importorskip("dense_reloc_ros.msg", reason="not built: source install/setup.bash")
    from nodes.harness import Harness
    from rclpy.context import Context

    harnesses: list[Harness] = []
    context = Context()
    context.init(domain_id=ros_domain)

    def start(maps: Any, **parameters: Any) -> Harness:
        harnesses.append(Harness(context, maps, **parameters))
        return harnesses[-1]

    yield start
    for harness in harnesses:
        harness.close()
    context.try_shutdown()
