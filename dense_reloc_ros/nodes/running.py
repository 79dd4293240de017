"""Starts nodes as a process."""

from __future__ import annotations

import logging
import signal
import sys
from collections.abc import Callable, Sequence

import rclpy
from rclpy.exceptions import ParameterException
from rclpy.executors import ExternalShutdownException, MultiThreadedExecutor
from rclpy.node import Node

from dense_reloc_ros.errors import RelocError

THREADS = 4
"""Callbacks of a node at the same time: a service call, transforms, images, one to spare."""


def run_node(make_node: Callable[[], Node], arguments: Sequence[str] | None = None) -> int:
    """Spins a node until it is interrupted; the exit status, 2 where it cannot be made."""
    return run_nodes(lambda: [make_node()], arguments)


def run_nodes(
    make_nodes: Callable[[], Sequence[Node]], arguments: Sequence[str] | None = None
) -> int:
    """As `run_node`, for several in one process; the first is ended first."""
    logging.basicConfig(level=logging.WARNING, format="[%(levelname)s] [%(name)s]: %(message)s")
    rclpy.init(args=None if arguments is None else list(arguments))
    try:
        nodes = make_nodes()
    except (RelocError, ParameterException) as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201
        rclpy.try_shutdown()
        return 2
    executor = MultiThreadedExecutor(THREADS * len(nodes))
    for node in nodes:
        executor.add_node(node)
    try:
        executor.spin()
    except (KeyboardInterrupt, ExternalShutdownException):
        pass
    except Exception:
        if rclpy.ok():  # what it does while ROS is being shut down under it does not matter
            raise
    finally:
        # Ctrl-C reaches a launched process twice: by the terminal, and by ros2 launch.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        executor.shutdown()
        for node in nodes:
            node.destroy_node()
        rclpy.try_shutdown()
    return 0
