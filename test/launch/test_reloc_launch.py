"""The launch file: its arguments everywhere, what it starts where `launch` is installed."""

from __future__ import annotations

import ast
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

LAUNCH_FILE = Path(__file__).parents[2] / "launch" / "reloc.launch.py"
ARGUMENTS = [
    *("map", "image", "camera_info", "params_file", "use_sim_time", "fusion", "rviz"),
    *("namespace", "log_level"),
]
LAUNCH = """
import sys
from launch import LaunchDescription, LaunchService
from launch.actions import IncludeLaunchDescription

arguments = [argument.split(":=") for argument in sys.argv[2:]]
service = LaunchService()
service.include_launch_description(
    LaunchDescription([IncludeLaunchDescription(sys.argv[1], launch_arguments=arguments)])
)
sys.exit(service.run())
"""
TIMEOUT = 120.0


def test_arguments_are_those_of_the_design() -> None:
    declared = [
        call.args[0].value
        for call in ast.walk(ast.parse(LAUNCH_FILE.read_text()))
        if isinstance(call, ast.Call)
        and isinstance(call.func, ast.Name)
        and call.func.id == "DeclareLaunchArgument"
        and isinstance(call.args[0], ast.Constant)
    ]
    assert declared == ARGUMENTS


def command(*arguments: str) -> list[str]:
    """What `ros2 launch` does, with the file of this checkout."""
    pytest.importorskip("launch_ros", reason="launch_ros is not on PyPI")
    return [sys.executable, "-c", LAUNCH, str(LAUNCH_FILE), *arguments]


@pytest.fixture
def parameters(tmp_path: Path) -> Path:
    path = tmp_path / "parameters.yaml"
    path.write_text(
        "/**/relocalizer: {ros__parameters: {image_transport: compressed, max_rate: 3.0}}"
    )
    return path


@pytest.fixture
def launched(
    ros_domain: int, parameters: Path, tmp_path: Path
) -> Iterator[subprocess.Popen[bytes]]:
    arguments = command(
        "image:=/front/image",
        "camera_info:=/front/info",
        "namespace:=robot1",
        "use_sim_time:=true",
        f"params_file:={parameters}",
    )
    environment = os.environ | {"ROS_LOG_DIR": str(tmp_path)}
    process = subprocess.Popen(arguments, env=environment, start_new_session=True)
    yield process
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)


@pytest.mark.ros
def test_starts_the_node_as_told(launched: subprocess.Popen[bytes], ros_domain: int) -> None:
    import rclpy
    from nodes.robot import wait_for
    from rcl_interfaces.srv import GetParameters
    from rclpy.context import Context
    from rclpy.executors import SingleThreadedExecutor

    context = Context()
    context.init(domain_id=ros_domain)
    node = rclpy.create_node("observer", context=context)
    executor = SingleThreadedExecutor(context=context)
    for topic in ("/front/image/compressed", "/front/info"):
        wait_for(
            lambda topic=topic: node.count_subscribers(topic), f"a listener on {topic}", TIMEOUT
        )
    client = node.create_client(GetParameters, "/robot1/relocalizer/get_parameters")
    assert client.wait_for_service(TIMEOUT)
    names = ["use_sim_time", "autostart", "max_rate"]
    executor.add_node(node)
    future = client.call_async(GetParameters.Request(names=names))
    executor.spin_until_future_complete(future, TIMEOUT)
    use_sim_time, autostart, max_rate = future.result().values
    assert (use_sim_time.bool_value, autostart.bool_value, max_rate.double_value) == (True, True, 3)
    context.try_shutdown()
    launched.send_signal(signal.SIGINT)
    assert launched.wait(TIMEOUT) == 0


@pytest.mark.ros
def test_fusion_is_refused_with_the_reason(ros_domain: int) -> None:
    refused = subprocess.run(
        command("fusion:=true"), capture_output=True, text=True, timeout=TIMEOUT, check=False
    )
    assert refused.returncode == 1
    assert "no node temporal_fusion yet" in refused.stdout + refused.stderr
