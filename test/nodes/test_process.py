"""The node as the process that `ros2 run` and the launch file start."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("dense_reloc_ros.msg", reason="not built: source install/setup.bash")
from ament_index_python import get_package_prefix
from lifecycle_msgs.srv import GetState
from nodes.manager_side import ManagerSide
from nodes.observer import Observer, wait_for
from rcl_interfaces.srv import GetParameters
from rclpy.context import Context
from rclpy.parameter import parameter_value_to_python

from dense_reloc_ros.srv import LoadMap

pytestmark = pytest.mark.ros
CONFIG = Path(__file__).parents[2] / "config" / "reloc.yaml"
TIMEOUT = 120.0


def executable(name: str) -> Path:
    """What `ros2 run dense_reloc_ros NAME` runs."""
    return Path(get_package_prefix("dense_reloc_ros"), "lib/dense_reloc_ros", name)


@pytest.fixture
def observer(ros_domain: int) -> Iterator[Observer]:
    context = Context()
    context.init(domain_id=ros_domain)
    observer = Observer(context)
    yield observer
    observer.close()
    context.try_shutdown()


class Running:
    """An executable of the package in the namespace /robot1, and what it logs."""

    def __init__(self, log: Path, name: str, **parameters: object) -> None:
        self._log = log
        command = [str(executable(name)), "--ros-args", "-r", "__ns:=/robot1"]
        command += ["--params-file", str(CONFIG)]
        for parameter, value in parameters.items():
            command += ["-p", f"{parameter}:={value}"]
        with log.open("wb") as output:
            self.process = subprocess.Popen(command, stderr=output)

    def has_said(self, text: str) -> bool:
        assert self.process.poll() is None, self.said()
        return text in self.said()

    def said(self) -> str:
        return self._log.read_text()

    def interrupt(self) -> None:
        """As Ctrl-C does under ros2 launch, which passes on what the terminal has sent already."""
        self.process.send_signal(signal.SIGINT)
        time.sleep(0.2)
        self.process.send_signal(signal.SIGINT)
        assert self.process.wait(TIMEOUT) == 0, self.said()
        assert "Traceback" not in self.said()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Running]]:
    started: list[Running] = []

    def start(name: str, **parameters: object) -> Running:
        started.append(Running(tmp_path / "log", name, **parameters))
        return started[-1]

    yield start
    for running in started:
        running.process.kill()
        running.process.wait()


def test_broken_map_leaves_it_running_until_it_is_interrupted(
    start: Callable[..., Running], observer: Observer, tmp_path: Path
) -> None:
    missing = tmp_path / "no_map"
    node = start("relocalizer", map=missing, autostart="true")
    # Importing torch takes a slow machine its time; then the node tries its map.
    wait_for(lambda: node.has_said(str(missing)), "the complaint", TIMEOUT)

    def call(kind: Any, name: str, request: Any) -> Any:
        return observer.call(kind, f"/robot1/relocalizer/{name}", request, TIMEOUT)

    assert call(GetState, "get_state", GetState.Request()).current_state.label == "unconfigured"
    response = call(LoadMap, "load_map", LoadMap.Request(map_path=str(missing)))
    assert not response.success
    assert str(missing) in response.message
    node.interrupt()


def test_a_manager_sees_that_the_process_is_killed(
    start: Callable[..., Running], observer: Observer
) -> None:
    manager = ManagerSide(observer.node, "/robot1/bond", "relocalizer", timeout=1.0)
    node = start("relocalizer", autostart="true")
    wait_for(lambda: manager.is_formed, "the bond", TIMEOUT)
    node.process.kill()
    wait_for(lambda: manager.is_broken, "the manager to see it")
    assert not manager.farewells
    manager.die()


def test_both_nodes_in_one_process_keep_their_own_parameters(
    start: Callable[..., Running], observer: Observer
) -> None:
    nodes = start("relocalizer_with_fusion", transform_timeout=0.25)
    names = ["publish_tf", "transform_tolerance", "transform_timeout"]
    for name, publishes, tolerance in (
        ("relocalizer", False, 1.0),
        ("temporal_fusion", True, 0.1),
    ):
        request = GetParameters.Request(names=names)
        service = f"/robot1/{name}/get_parameters"
        values = observer.call(GetParameters, service, request, TIMEOUT).values
        assert [parameter_value_to_python(v) for v in values] == [publishes, tolerance, 0.25]
    nodes.interrupt()


def test_parameters_that_make_no_sense_end_it_with_one_line(ros_domain: int) -> None:
    command = [str(executable("relocalizer")), "--ros-args", "-p", "max_rate:=-3.0"]
    process = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT, check=False)
    assert process.returncode == 2
    assert "max_rate" in process.stderr
    assert "Traceback" not in process.stderr


@pytest.mark.parametrize("seconds", [0.3, 1.0, 2.0, 4.0])
def test_an_interrupt_at_any_moment_leaves_no_traceback(
    start: Callable[..., Running], seconds: float
) -> None:
    """While Python starts, torch is loaded, the nodes are made, or they run."""
    node = start("relocalizer_with_fusion")
    time.sleep(seconds)
    node.process.send_signal(signal.SIGINT)
    assert node.process.wait(TIMEOUT) in (0, 130)
    assert "Traceback" not in node.said()
