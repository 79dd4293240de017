"""The launch file: its arguments everywhere, what it starts where `launch` is installed."""

from __future__ import annotations

import ast
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from launching import launch_command

if TYPE_CHECKING:
    from rclpy.context import Context

LAUNCH_FILE = Path(__file__).parents[2] / "launch" / "reloc.launch.py"
ARGUMENTS = [
    *("map", "image", "camera_info", "params_file", "use_sim_time", "autostart", "use_respawn"),
    *("fusion", "fusion_process", "rtabmap", "initial_pose", "robot_localization", "autoware"),
    *("rviz", "namespace", "tf", "fastdds_profile", "log_level"),
]
OF_NAV2 = {
    *("namespace", "map", "use_sim_time", "params_file", "autostart", "use_respawn", "log_level")
}
"""Arguments of nav2_bringup's localization_launch.py, but for those of composition in C++."""
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
    assert set(declared) >= OF_NAV2


def command(*arguments: str) -> list[str]:
    """What `ros2 launch` does, with the file of this checkout."""
    pytest.importorskip("launch_ros", reason="launch_ros is not on PyPI")
    return launch_command(LAUNCH_FILE, *arguments)


@pytest.fixture
def parameters(tmp_path: Path) -> Path:
    path = tmp_path / "parameters.yaml"
    path.write_text(
        "/**/relocalizer: {ros__parameters: {image_transport: compressed, max_rate: 3.0}}\n"
        "/**/temporal_fusion: {ros__parameters: {max_age: 1.5}}"
    )
    return path


@pytest.fixture
def launch(
    ros_domain: int, parameters: Path, tmp_path: Path
) -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """Launches with some arguments, and what is the same in all tests."""
    processes: list[subprocess.Popen[bytes]] = []

    def launch(*given: str) -> subprocess.Popen[bytes]:
        arguments = command(
            "image:=/front/image",
            "camera_info:=/front/info",
            "namespace:=robot1",
            "use_sim_time:=true",
            f"params_file:={parameters}",
            *given,
        )
        environment = os.environ | {"ROS_LOG_DIR": str(tmp_path)}
        processes.append(subprocess.Popen(arguments, env=environment, start_new_session=True))
        return processes[-1]

    yield launch
    for process in processes:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)


@pytest.fixture
def observer(ros_domain: int) -> Iterator[LaunchObserver]:
    pytest.importorskip("launch_ros", reason="launch_ros is not on PyPI")
    from rclpy.context import Context

    context = Context()
    context.init(domain_id=ros_domain)
    observer = LaunchObserver(context)
    yield observer
    observer.close()
    context.try_shutdown()


class LaunchObserver:
    """Sees what was launched."""

    def __init__(self, context: Context) -> None:
        from nodes.observer import Observer

        self._observer = Observer(context)
        self.close = self._observer.close

    @property
    def node_names(self) -> list[str]:
        return list(self._observer.node.get_node_names())

    def wait_for_listeners(self, *topics: str) -> None:
        from nodes.observer import wait_for

        for topic in topics:
            wait_for(
                lambda topic=topic: self._observer.node.count_subscribers(topic),
                f"a listener on {topic}",
                TIMEOUT,
            )

    def ends_of(self, topic: str) -> tuple[set[str], set[str]]:
        """The names of the nodes that publish a topic, and of those that subscribe."""
        node = self._observer.node
        publishers = node.get_publishers_info_by_topic(topic)
        subscribers = node.get_subscriptions_info_by_topic(topic)
        return {end.node_name for end in publishers}, {end.node_name for end in subscribers}

    def listeners(self, topic: str) -> set[bytes]:
        """Those who subscribe to a topic, each with an id that no other has ever had."""
        ends = self._observer.node.get_subscriptions_info_by_topic(topic)
        return {bytes(end.endpoint_gid) for end in ends}

    def parameters(self, node: str, *names: str) -> list[object]:
        """Values of a node's parameters."""
        from rcl_interfaces.srv import GetParameters
        from rclpy.parameter import parameter_value_to_python

        request = GetParameters.Request(names=names)
        service = f"/robot1/{node}/get_parameters"
        response = self._observer.call(GetParameters, service, request, TIMEOUT)
        return [parameter_value_to_python(value) for value in response.values]


@pytest.mark.ros
def test_starts_the_node_as_told(launch, observer: LaunchObserver) -> None:
    launched = launch("fusion:=false")
    observer.wait_for_listeners("/front/image/compressed", "/front/info")
    names = ["use_sim_time", "autostart", "max_rate", "publish_tf", "map"]
    assert observer.parameters("relocalizer", *names) == [True, True, 3.0, True, ""]
    assert "temporal_fusion" not in observer.node_names
    launched.send_signal(signal.SIGINT)
    assert launched.wait(TIMEOUT) == 0


@pytest.mark.ros
def test_localizations_are_fused_where_there_is_odometry(launch, observer: LaunchObserver) -> None:
    launch()
    observer.wait_for_listeners("/front/image/compressed")
    assert observer.parameters("relocalizer", "publish_tf") == [False]
    assert observer.parameters("temporal_fusion", "publish_tf") == [True]


@pytest.mark.ros
def test_without_odometry_the_relocalizer_has_the_transform(
    launch, observer: LaunchObserver, parameters: Path
) -> None:
    parameters.write_text(
        "/**/relocalizer: {ros__parameters: {image_transport: compressed, odom_frame: ''}}"
    )
    launch()
    observer.wait_for_listeners("/front/image/compressed")
    assert observer.parameters("relocalizer", "publish_tf", "odom_frame") == [True, ""]
    assert "temporal_fusion" not in observer.node_names


@pytest.mark.ros
@pytest.mark.parametrize("process", ["shared", "separate"])
def test_fusion_takes_over_the_transform(launch, observer: LaunchObserver, process: str) -> None:
    launched = launch("fusion:=true", f"fusion_process:={process}")
    topics = ["/front/image/compressed"]
    if process == "separate":
        topics.append("/robot1/relocalizer/localized_frame")
    observer.wait_for_listeners(*topics)
    names = ["use_sim_time", "autostart", "publish_tf"]
    assert observer.parameters("relocalizer", *names, "max_rate") == [True, True, False, 3.0]
    assert observer.parameters("temporal_fusion", *names, "max_age") == [True, True, True, 1.5]
    launched.send_signal(signal.SIGINT)
    assert launched.wait(TIMEOUT) == 0


@pytest.mark.ros
def test_each_bridge_has_an_argument(launch, observer: LaunchObserver) -> None:
    switches = [f"{name}:=true" for name in ("initial_pose", "robot_localization", "autoware")]
    launched = launch("rtabmap:=landmark_detection", *switches)
    fused = "/robot1/temporal_fusion"
    observer.wait_for_listeners(f"{fused}/loop_closure", f"{fused}/result")
    names = {"rtabmap", "initial_pose", "robot_localization", "autoware"}
    bridges = {f"{name}_bridge" for name in names}
    from nodes.observer import wait_for

    wait_for(lambda: bridges <= set(observer.node_names), "the bridges", TIMEOUT)
    assert observer.parameters("rtabmap_bridge", "link") == ["landmark_detection"]
    assert observer.parameters("relocalizer", "publish_tf") == [False]
    launched.send_signal(signal.SIGINT)
    assert launched.wait(TIMEOUT) == 0


@pytest.mark.ros
@pytest.mark.parametrize(
    ("given", "used", "unused"), [([], "/robot1/tf", "/tf"), (["tf:=/tf"], "/tf", "/robot1/tf")]
)
def test_a_namespace_has_a_tf_and_an_initial_pose_of_its_own(
    launch, observer: LaunchObserver, given: list[str], used: str, unused: str
) -> None:
    from nodes.observer import wait_for

    launch("initial_pose:=true", *given)
    listeners = {"_relocalizer_tf", "_initial_pose_bridge_tf"}
    for topic in (used, f"{used}_static"):
        wait_for(lambda topic=topic: observer.ends_of(topic)[1] == listeners, topic, TIMEOUT)
    wait_for(lambda: "temporal_fusion" in observer.ends_of(used)[0], "a TF", TIMEOUT)
    assert observer.ends_of(unused) == observer.ends_of(f"{unused}_static") == (set(), set())
    told, hearing = observer.ends_of("/robot1/initialpose")
    assert (told, hearing) == ({"initial_pose_bridge"}, {"relocalizer"})


@pytest.mark.ros
def test_a_node_that_a_manager_is_to_start_waits(launch, observer: LaunchObserver) -> None:
    launch("autostart:=false")
    assert observer.parameters("relocalizer", "autostart") == [False]
    assert observer.parameters("temporal_fusion", "autostart") == [False]
    assert observer.ends_of("/front/image/compressed")[1] == set()


@pytest.mark.ros
def test_a_node_that_died_is_started_again(launch, observer: LaunchObserver) -> None:
    from nodes.observer import wait_for

    launched = launch("fusion:=false", "use_respawn:=true")
    observer.wait_for_listeners("/front/image/compressed")
    before = observer.listeners("/front/image/compressed")
    children = Path(f"/proc/{launched.pid}/task/{launched.pid}/children")
    (node,) = map(int, children.read_text().split())
    os.kill(node, signal.SIGKILL)  # DDS takes it for alive for some seconds
    wait_for(
        lambda: observer.listeners("/front/image/compressed") - before, "another node", TIMEOUT
    )
    launched.send_signal(signal.SIGINT)
    assert launched.wait(TIMEOUT) == 0
