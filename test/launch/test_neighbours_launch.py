"""The launch files for Nav2 and robot_localization start their nodes, with stand-ins for these."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from launching import launch_command

pytestmark = pytest.mark.ros
LAUNCH = Path(__file__).parents[2] / "launch"
NAV2 = {
    "map_server": "nav2_map_server",
    "controller_server": "nav2_controller",
    "planner_server": "nav2_planner",
    "behavior_server": "nav2_behaviors",
    "bt_navigator": "nav2_bt_navigator",
    "lifecycle_manager": "nav2_lifecycle_manager",
}
OTHERS = {**NAV2, "ekf_node": "robot_localization"}
STAND_IN = """#!{python}
import json, os, sys, signal
name = next(a for a in sys.argv if a.startswith("__node:=")).removeprefix("__node:=")
file = os.path.join({folder!r}, name)
open(file + ".part", "w").write(json.dumps(sys.argv[1:]))
os.rename(file + ".part", file)
signal.sigwait([signal.SIGINT, signal.SIGTERM])
"""
TIMEOUT = 120.0
OURS = ("relocalizer", "temporal_fusion")


@pytest.fixture
def launch(ros_domain: int, tmp_path: Path) -> Iterator[Callable[..., dict[str, list[str]]]]:
    """Launches a file, and says with which arguments the named stand-ins were started."""
    pytest.importorskip("launch_ros", reason="launch_ros is not on PyPI")
    started = tmp_path / "started"
    started.mkdir()
    for executable, package in OTHERS.items():
        index = tmp_path / "share" / "ament_index" / "resource_index" / "packages" / package
        program = tmp_path / "lib" / package / executable
        for file in (index, program):
            file.parent.mkdir(parents=True, exist_ok=True)
        index.touch()
        program.write_text(STAND_IN.format(python=sys.executable, folder=str(started)))
        program.chmod(0o755)
    prefixes = f"{tmp_path}{os.pathsep}{os.environ['AMENT_PREFIX_PATH']}"
    environment = os.environ | {"ROS_LOG_DIR": str(tmp_path), "AMENT_PREFIX_PATH": prefixes}
    processes: list[subprocess.Popen[bytes]] = []

    def launch(file: str, *names: str, given: tuple[str, ...] = ()) -> dict[str, list[str]]:
        command = launch_command(LAUNCH / file, *given)
        processes.append(subprocess.Popen(command, env=environment, start_new_session=True))
        end = time.monotonic() + TIMEOUT
        while not all((started / name).exists() for name in names):
            assert processes[-1].poll() is None
            assert time.monotonic() < end
            time.sleep(0.05)
        return {name: json.loads((started / name).read_text()) for name in names}

    yield launch
    for process in processes:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)


def parameter_files(arguments: list[str]) -> list[Path]:
    return [Path(b) for a, b in pairwise(arguments) if a == "--params-file"]


def values_of(arguments: list[str]) -> str:
    """All that the parameter files say."""
    return "".join(file.read_text() for file in parameter_files(arguments))


def test_nav2_and_its_managers_start_with_one_parameter_file(
    launch: Callable[..., dict[str, list[str]]],
) -> None:
    managers = ["lifecycle_manager_localization", "lifecycle_manager_navigation"]
    servers = [name for name in NAV2 if name != "lifecycle_manager"]
    started = launch(
        "nav2.launch.py",
        *managers,
        *servers,
        given=("grid:=/maps/floor.yaml", "namespace:=robot1", "use_sim_time:=true"),
    )
    for arguments in started.values():
        assert parameter_files(arguments)[0].name == "nav2.yaml"
        assert {"__ns:=/robot1", "/tf:=tf", "/tf_static:=tf_static"} <= set(arguments)
        assert "use_sim_time: true" in values_of(arguments[2:])
    assert "yaml_filename: /maps/floor.yaml" in values_of(started["map_server"])
    for manager in managers:
        assert "autostart: true" in values_of(started[manager][4:])


def test_the_manager_is_who_starts_the_nodes_of_this_package(
    launch: Callable[..., dict[str, list[str]]], ros_domain: int
) -> None:
    from rclpy.context import Context

    context = Context()
    launch(
        "nav2.launch.py", "lifecycle_manager_localization", given=("grid:=/x", "namespace:=robot1")
    )
    names = ["autostart", "publish_tf", "odom_frame"]
    context.init(domain_id=ros_domain)
    try:
        found = {node: parameters_of(context, node, names) for node in OURS}
    finally:
        context.try_shutdown()
    assert found == {
        "relocalizer": [False, False, "odom"],
        "temporal_fusion": [False, True, "odom"],
    }


def parameters_of(context: Any, node: str, names: list[str]) -> list[object]:
    """Values of a node's parameters."""
    from nodes.observer import Observer
    from rcl_interfaces.srv import GetParameters
    from rclpy.parameter import parameter_value_to_python

    observer = Observer(context)
    try:
        request = GetParameters.Request(names=names)
        service = f"/robot1/{node}/get_parameters"
        response = observer.call(GetParameters, service, request, TIMEOUT)
    finally:
        observer.close()
    return [parameter_value_to_python(value) for value in response.values]


def test_the_filters_start_with_a_topic_each(launch: Callable[..., dict[str, list[str]]]) -> None:
    started = launch("robot_localization.launch.py", "ekf_odom", "ekf_map")
    assert "odometry/filtered:=odometry/local" in started["ekf_odom"]
    assert "odometry/filtered:=odometry/global" in started["ekf_map"]
    for arguments in started.values():
        assert parameter_files(arguments)[0].name == "ekf.yaml"
