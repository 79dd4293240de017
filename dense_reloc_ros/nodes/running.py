"""Starts nodes as a process."""

from __future__ import annotations

import logging
import os
import signal
import sys
import traceback
from collections.abc import Callable, Sequence
from threading import Timer

import rclpy
from rclpy.exceptions import ParameterException
from rclpy.executors import Executor, ExternalShutdownException, MultiThreadedExecutor
from rclpy.node import Node

from dense_reloc_ros.errors import RelocError

THREADS = 8
"""Of a node's callbacks: one for each of its groups, so that none waits for a slow one."""
SHUTDOWN_SECONDS = 2.5


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
    except Exception:
        if rclpy.ok():
            raise
        return 0  # interrupted while they were made
    executor = MultiThreadedExecutor(THREADS * len(nodes))
    for node in nodes:
        executor.add_node(node)
    try:
        spin(executor, nodes[0])
    finally:
        # Ctrl-C reaches a launched process twice: by the terminal, and by ros2 launch.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        end_within(SHUTDOWN_SECONDS)
        executor.shutdown()
        for node in nodes:
            node.destroy_node()
        rclpy.try_shutdown()
    return 0


def spin(executor: Executor, node: Node) -> None:
    """Runs callbacks until the process is to end; what one of them raises is logged."""
    while executor.context.ok():
        try:
            executor.spin_once()
        except (KeyboardInterrupt, ExternalShutdownException):
            return
        except Exception:
            if executor.context.ok():  # what it does while ROS is shut down does not matter
                node.get_logger().error(f"a callback failed: {traceback.format_exc()}")


def end_within(seconds: float) -> None:
    """Ends the process then, though a thread still computes or reads a map: Python would wait."""
    timer = Timer(seconds, os._exit, [0])
    timer.daemon = True
    timer.start()
