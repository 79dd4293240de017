"""Nodes to talk to."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest


@pytest.fixture
def run(ros_domain: int) -> Iterator[Callable[..., Any]]:
    """Runs a kind of `Robot`, given what it takes, in a context of this test's own."""
    from nodes.robot import Robot  # here: other tests of this folder need no ROS
    from rclpy.context import Context

    robots: list[Robot] = []
    context = Context()
    context.init(domain_id=ros_domain)

    def run(kind: Callable[..., Robot], *given: Any, **parameters: Any) -> Robot:
        robots.append(kind(context, *given, **parameters))
        return robots[-1]

    yield run
    for robot in robots:
        robot.close()
    context.try_shutdown()


@pytest.fixture
def start(run: Callable[..., Any]) -> Callable[..., Any]:
    """Starts a `Harness` with maps and parameters of the node."""
    from nodes.harness import Harness

    return partial(run, Harness)
