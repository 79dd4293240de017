"""Nav2 with a camera in place of AMCL, as config/nav2/nav2.yaml has it."""

from __future__ import annotations

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, GroupAction, IncludeLaunchDescription
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue
from launch_ros.substitutions import FindPackageShare

SHARE = FindPackageShare("dense_reloc_ros")
HANDED_ON = (
    *("map", "image", "camera_info", "params_file"),
    *("use_sim_time", "namespace", "use_respawn", "log_level"),
)
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
    autostart = ParameterValue(LaunchConfiguration("autostart"), value_type=bool)
    managers = [
        nav2(
            "nav2_lifecycle_manager",
            "lifecycle_manager",
            f"lifecycle_manager_{part}",
            autostart=autostart,
        )
        for part in ("localization", "navigation")
    ]
    grid = ParameterValue(LaunchConfiguration("grid"), value_type=str)
    of_map_server = {"map_server": {"yaml_filename": grid}}
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
            argument("autostart", "Whether the managers start their nodes at once", "true"),
            argument("use_respawn", "Whether a node that ends is started again", "false"),
            argument("namespace", "Namespace of all nodes", ""),
            argument("log_level", "What the nodes log", "info"),
            GroupAction([localizers]),  # with an autostart of its own
            *(
                nav2(package, name, name, **of_map_server.get(name, {}))
                for name, package in NODES.items()
            ),
            *managers,
        ]
    )


def argument(name: str, description: str, default: str | None = None) -> DeclareLaunchArgument:
    """An argument, that must be given where it has no default."""
    return DeclareLaunchArgument(name, default_value=default, description=description)


def nav2(package: str, executable: str, name: str, **given: ParameterValue) -> Node:
    """A node of Nav2, with parameters that are put over those of the file."""
    use_sim_time = ParameterValue(LaunchConfiguration("use_sim_time"), value_type=bool)
    return Node(
        package=package,
        executable=executable,
        name=name,
        namespace=LaunchConfiguration("namespace"),
        parameters=[LaunchConfiguration("params_file"), {"use_sim_time": use_sim_time, **given}],
        remappings=[("/tf", "tf"), ("/tf_static", "tf_static")],
        respawn=LaunchConfiguration("use_respawn"),
        respawn_delay=2.0,
        ros_arguments=["--log-level", LaunchConfiguration("log_level")],
        output="screen",
    )
