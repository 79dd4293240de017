"""Nav2 with a camera in place of AMCL, as config/nav2/nav2.yaml has it."""

from __future__ import annotations

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, IncludeLaunchDescription
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue
from launch_ros.substitutions import FindPackageShare

SHARE = FindPackageShare("dense_reloc_ros")
HANDED_ON = ("map", "image", "camera_info", "params_file", "use_sim_time", "namespace", "log_level")
"""To reloc.launch.py."""
NODES = {
    "map_server": "nav2_map_server",
    "controller_server": "nav2_controller",
    "planner_server": "nav2_planner",
    "behavior_server": "nav2_behaviors",
    "bt_navigator": "nav2_bt_navigator",
}
"""Executables, which are the nodes' names, and their packages."""


def generate_launch_description() -> LaunchDescription:
    """What `ros2 launch` calls."""
    localizers = IncludeLaunchDescription(
        PathJoinSubstitution([SHARE, "launch", "reloc.launch.py"]),
        launch_arguments=[
            *((name, LaunchConfiguration(name)) for name in HANDED_ON),
            ("autostart", "false"),  # the manager starts them
        ],
    )
    managers = [
        nav2("nav2_lifecycle_manager", "lifecycle_manager", f"lifecycle_manager_{part}")
        for part in ("localization", "navigation")
    ]
    return LaunchDescription(
        [
            argument("map", "Folder of the visual map (empty: that of params_file)", ""),
            argument("grid", "YAML file of the occupancy grid, in the frame of the visual map"),
            argument("image", "Topic of the camera's images", "/camera/image_raw"),
            argument("camera_info", "Topic of its intrinsics", "/camera/camera_info"),
            DeclareLaunchArgument(
                "params_file",
                default_value=PathJoinSubstitution([SHARE, "config", "nav2", "nav2.yaml"]),
                description="Parameters of all nodes",
            ),
            argument("use_sim_time", "Whether time comes from /clock", "false"),
            argument("namespace", "Namespace of all nodes", ""),
            argument("log_level", "What the nodes log", "info"),
            localizers,
            *(nav2(package, name, name) for name, package in NODES.items()),
            *managers,
        ]
    )


def argument(name: str, description: str, default: str | None = None) -> DeclareLaunchArgument:
    """An argument, that must be given where it has no default."""
    return DeclareLaunchArgument(name, default_value=default, description=description)


def nav2(package: str, executable: str, name: str) -> Node:
    """A node of Nav2."""
    use_sim_time = ParameterValue(LaunchConfiguration("use_sim_time"), value_type=bool)
    given = {"use_sim_time": use_sim_time}
    if name == "map_server":
        given["yaml_filename"] = ParameterValue(LaunchConfiguration("grid"), value_type=str)
    return Node(
        package=package,
        executable=executable,
        name=name,
        namespace=LaunchConfiguration("namespace"),
        parameters=[LaunchConfiguration("params_file"), given],
        remappings=[("/tf", "tf"), ("/tf_static", "tf_static")],
        ros_arguments=["--log-level", LaunchConfiguration("log_level")],
        output="screen",
    )
