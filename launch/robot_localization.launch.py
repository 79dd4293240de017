"""Two filters of robot_localization, as config/robot_localization has them.

The first gives odom -> base_link, the second map -> odom from the poses of this package.
"""

from __future__ import annotations

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, IncludeLaunchDescription
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue
from launch_ros.substitutions import FindPackageShare

SHARE = FindPackageShare("dense_reloc_ros")
ARGUMENTS = {
    "map": ("", "Folder of the map (empty: that of params_file)"),
    "image": ("/camera/image_raw", "Topic of the camera's images"),
    "camera_info": ("/camera/camera_info", "Topic of its intrinsics"),
    "use_sim_time": ("false", "Whether time comes from /clock"),
    "namespace": ("", "Namespace of all nodes"),
    "log_level": ("info", "What the nodes log"),
}
"""Handed on to reloc.launch.py."""
OUTPUTS = {"ekf_odom": "odometry/local", "ekf_map": "odometry/global"}
"""The filters, and their topics: both would publish on odometry/filtered."""


def generate_launch_description() -> LaunchDescription:
    """What `ros2 launch` calls."""
    files = {
        "params_file": (["config", "reloc.yaml"], "Parameters of the relocalizer"),
        "filter_params_file": (
            ["config", "robot_localization", "ekf.yaml"],
            "Parameters of the filters",
        ),
    }
    handed_on = [(name, LaunchConfiguration(name)) for name in (*ARGUMENTS, "params_file")]
    return LaunchDescription(
        [
            *(
                DeclareLaunchArgument(name, default_value=default, description=description)
                for name, (default, description) in ARGUMENTS.items()
            ),
            *(
                DeclareLaunchArgument(
                    name,
                    default_value=PathJoinSubstitution([SHARE, *path]),
                    description=description,
                )
                for name, (path, description) in files.items()
            ),
            IncludeLaunchDescription(
                PathJoinSubstitution([SHARE, "launch", "reloc.launch.py"]),
                launch_arguments=[*handed_on, ("robot_localization", "true")],
            ),
            *(ekf(name, output) for name, output in OUTPUTS.items()),
        ]
    )


def ekf(name: str, output: str) -> Node:
    """A filter."""
    use_sim_time = ParameterValue(LaunchConfiguration("use_sim_time"), value_type=bool)
    return Node(
        package="robot_localization",
        executable="ekf_node",
        name=name,
        namespace=LaunchConfiguration("namespace"),
        parameters=[LaunchConfiguration("filter_params_file"), {"use_sim_time": use_sim_time}],
        remappings=[
            ("/tf", "tf"),
            ("/tf_static", "tf_static"),
            ("odometry/filtered", output),
        ],
        ros_arguments=["--log-level", LaunchConfiguration("log_level")],
        output="screen",
    )
