"""A relocalizer to talk to."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest


@pytest.fixture
def start(ros_domain: int) -> Iterator[Callable[..., Any]]:
    """Starts a `Harness` with maps and parameters of the node."""
    from nodes.harness import Harness  # here: other tests of this folder need no ROS
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
