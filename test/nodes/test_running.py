"""The process of a node: it survives its callbacks, and ends when it is told to."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("dense_reloc_ros.msg", reason="not built: source install/setup.bash")
from nodes.observer import wait_for

pytestmark = pytest.mark.ros
NODE = """
import sys
import time

import rclpy

from dense_reloc_ros.nodes.relocalizer import Relocalizer
from dense_reloc_ros.nodes.running import run_node


class Clumsy(Relocalizer):
    ticks = 0

    def __init__(self):
        super().__init__(read_slowly)
        self.create_timer(0.05, self.tick)

    def tick(self):
        self.ticks += 1
        print(f"tick {self.ticks}", flush=True)
        if self.ticks == 3:
            raise ValueError("a mistake of ours")


def read_slowly(*_):
    print("reading", flush=True)
    time.sleep(600)


sys.exit(run_node(Clumsy, ["--ros-args", "-p", "map:=/m", "-p", f"autostart:={sys.argv[1]}"]))
"""


class Process:
    """The node above, and what it says."""

    def __init__(self, log: Path, autostart: str) -> None:
        self._log = log
        with log.open("wb") as output:
            self.popen = subprocess.Popen(
                [sys.executable, "-c", NODE, autostart], stdout=output, stderr=output
            )

    def says(self, text: str) -> bool:
        assert self.popen.poll() is None, self._log.read_text()
        return text in self._log.read_text()


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "log"


def test_what_a_callback_raises_is_logged_and_the_others_go_on(log: Path, ros_domain: int) -> None:
    process = Process(log, "false")
    wait_for(lambda: process.says("tick 6"), "callbacks after the one that raised")
    assert process.says("a callback failed: Traceback")
    assert process.says("ValueError: a mistake of ours")
    process.popen.send_signal(signal.SIGINT)
    assert process.popen.wait(30) == 0


def test_it_ends_though_a_map_is_still_read(log: Path, ros_domain: int) -> None:
    process = Process(log, "true")
    wait_for(lambda: process.says("reading"), "the map to be read, for ten minutes")
    process.popen.send_signal(signal.SIGINT)
    assert process.popen.wait(30) == 0
