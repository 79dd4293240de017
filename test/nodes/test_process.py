"""The node as the process that `ros2 run` and the launch file start."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("dense_reloc_ros.msg", reason="not built: source install/setup.bash")
import rclpy
from ament_index_python import get_package_prefix
from lifecycle_msgs.srv import GetState
from nodes.robot import wait_for
from rcl_interfaces.srv import GetParameters
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.parameter import parameter_value_to_python

from dense_reloc_ros.srv import LoadMap

pytestmark = pytest.mark.ros
CONFIG = Path(__file__).parents[2] / "config" / "reloc.yaml"
TIMEOUT = 120.0


def executable(name: str) -> Path:
    """What `ros2 run dense_reloc_ros NAME` runs."""
    return Path(get_package_prefix("dense_reloc_ros"), "lib/dense_reloc_ros", name)


@pytest.fixture
def executor(ros_domain: int) -> Iterator[SingleThreadedExecutor]:
    context = Context()
    context.init(domain_id=ros_domain)
    executor = SingleThreadedExecutor(context=context)
    yield executor
    executor.shutdown()
    context.try_shutdown()


def test_broken_map_leaves_it_running_until_it_is_interrupted(
    executor: SingleThreadedExecutor, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    missing = tmp_path / "no_map"
    command = [
        str(executable("relocalizer")),
        *("--ros-args", "-r", "__ns:=/robot1", "--params-file", str(CONFIG)),
        *("-p", f"map:={missing}", "-p", "autostart:=true"),
    ]
    with log.open("wb") as output:
        process = subprocess.Popen(command, stderr=output, env=os.environ)
    try:
        node = rclpy.create_node("manager", context=executor.context)
        executor.add_node(node)

        def call(kind: object, name: str, request: object) -> object:
            client = node.create_client(kind, f"/robot1/relocalizer/{name}")
            assert client.wait_for_service(TIMEOUT), log.read_text()
            future = client.call_async(request)
            executor.spin_until_future_complete(future, TIMEOUT)
            return future.result()

        # Importing torch takes a slow machine its time; then the node tries its map.
        wait_for(
            lambda: str(missing) in log.read_text() or process.poll() is not None,
            "the complaint",
            TIMEOUT,
        )
        assert process.poll() is None, log.read_text()
        assert call(GetState, "get_state", GetState.Request()).current_state.label == "unconfigured"
        response = call(LoadMap, "load_map", LoadMap.Request(map_path=str(missing)))
        assert not response.success
        assert str(missing) in response.message
        process.send_signal(signal.SIGINT)
        assert process.wait(TIMEOUT) == 0
        assert "Traceback" not in log.read_text()
    finally:
        process.kill()


def test_both_nodes_in_one_process_keep_their_own_parameters(
    executor: SingleThreadedExecutor, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    command = [
        str(executable("relocalizer_with_fusion")),
        *("--ros-args", "-r", "__ns:=/robot1", "--params-file", str(CONFIG)),
        *("-p", "transform_timeout:=0.25"),
    ]
    with log.open("wb") as output:
        process = subprocess.Popen(command, stderr=output, env=os.environ)
    try:
        observer = rclpy.create_node("observer", context=executor.context)
        executor.add_node(observer)
        for name, publishes, tolerance in (
            ("relocalizer", False, 1.0),
            ("temporal_fusion", True, 0.1),
        ):
            client = observer.create_client(GetParameters, f"/robot1/{name}/get_parameters")
            assert client.wait_for_service(TIMEOUT), log.read_text()
            names = ["publish_tf", "transform_tolerance", "transform_timeout"]
            future = client.call_async(GetParameters.Request(names=names))
            executor.spin_until_future_complete(future, TIMEOUT)
            values = [parameter_value_to_python(value) for value in future.result().values]
            assert values == [publishes, tolerance, 0.25]
        process.send_signal(signal.SIGINT)
        assert process.wait(TIMEOUT) == 0
        assert "Traceback" not in log.read_text()
    finally:
        process.kill()


def test_parameters_that_make_no_sense_end_it_with_one_line(ros_domain: int) -> None:
    command = [str(executable("relocalizer")), "--ros-args", "-p", "max_rate:=-3.0"]
    process = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT, check=False)
    assert process.returncode == 2
    assert "max_rate" in process.stderr
    assert "Traceback" not in process.stderr
