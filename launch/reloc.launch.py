"""Starts the nodes, and RViz where it is wanted; `--show-args` explains the arguments."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from launch import LaunchContext, LaunchDescription, LaunchDescriptionEntity
from launch.actions import DeclareLaunchArgument, OpaqueFunction, SetEnvironmentVariable
from launch.conditions import IfCondition
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import Node
from launch_ros.substitutions import FindPackageShare

CONFIG = PathJoinSubstitution([FindPackageShare("dense_reloc_ros"), "config"])
SWITCH = ["true", "false"]
TF = [
    ("/tf", LaunchConfiguration("tf")),
    ("/tf_static", [LaunchConfiguration("tf"), "_static"]),
]
"""As Nav2 has them: in a namespace, each robot has a TF of its own."""
RESPAWN_SECONDS = 2.0
PROFILE_VARIABLES = ("FASTDDS_DEFAULT_PROFILES_FILE", "FASTRTPS_DEFAULT_PROFILES_FILE")
"""The second is the name before Fast DDS 3."""


def generate_launch_description() -> LaunchDescription:
    """What `ros2 launch` calls."""
    return LaunchDescription(
        [
            DeclareLaunchArgument(
                "map",
                default_value="",
                description="Folder of the map (empty: that of params_file)",
            ),
            DeclareLaunchArgument(
                "image",
                default_value="/camera/image_raw",
                description="Topic of the images; compressed ones are expected under …/compressed",
            ),
            DeclareLaunchArgument(
                "camera_info",
                default_value="/camera/camera_info",
                description="Topic of the camera's intrinsics",
            ),
            DeclareLaunchArgument(
                "params_file",
                default_value=PathJoinSubstitution([CONFIG, "reloc.yaml"]),
                description="Parameters of the nodes",
            ),
            DeclareLaunchArgument(
                "use_sim_time",
                default_value="false",
                choices=SWITCH,
                description="Whether time comes from /clock (simulation, bags)",
            ),
            DeclareLaunchArgument(
                "autostart",
                default_value="true",
                choices=SWITCH,
                description="Whether the nodes configure and activate themselves (false: a "
                "lifecycle manager does it)",
            ),
            DeclareLaunchArgument(
                "use_respawn",
                default_value="false",
                choices=SWITCH,
                description="Whether a node that ends is started again, after 2 s",
            ),
            DeclareLaunchArgument(
                "fusion",
                default_value="auto",
                choices=["auto", *SWITCH],
                description="Whether temporal_fusion fuses localizations over time, and has the TF "
                "(auto: where there is odometry, unless params_file sets odom_frame to '')",
            ),
            DeclareLaunchArgument(
                "fusion_process",
                default_value="shared",
                choices=["shared", "separate"],
                description="Whether temporal_fusion shares the relocalizer's process, and so its "
                "features, or gets them by messages in a process of its own",
            ),
            DeclareLaunchArgument(
                "rtabmap",
                default_value="none",
                choices=["none", "landmark_detection", "add_link"],
                description="How RTAB-Map gets loop closures: by the nearest keyframes as "
                "landmarks, or by links where the map was built of RTAB-Map's nodes",
            ),
            DeclareLaunchArgument(
                "initial_pose",
                default_value="false",
                choices=SWITCH,
                description="Whether to tell AMCL or slam_toolbox on initialpose where the robot "
                "is, once, when they are lost",
            ),
            DeclareLaunchArgument(
                "robot_localization",
                default_value="false",
                choices=SWITCH,
                description="Whether to publish poses for a filter of robot_localization on pose0",
            ),
            DeclareLaunchArgument(
                "autoware",
                default_value="false",
                choices=SWITCH,
                description="Whether to answer yabloc_align, which Autoware's pose_initializer "
                "calls",
            ),
            DeclareLaunchArgument(
                "rviz", default_value="false", choices=SWITCH, description="Whether to start RViz"
            ),
            DeclareLaunchArgument(
                "namespace",
                default_value="",
                description="Namespace of the nodes",
            ),
            DeclareLaunchArgument(
                "tf",
                default_value="tf",
                description="Topic of TF, and with _static after it that of what does not move: in "
                "the namespace, as with Nav2 (/tf: that of all)",
            ),
            DeclareLaunchArgument(
                "fastdds_profile",
                default_value=PathJoinSubstitution([CONFIG, "fastdds.xml"]),
                description="Profile of Fast DDS for all that is launched from here on, such as "
                "the camera's driver: its shared memory takes raw images (empty: none; a profile "
                "in the environment wins)",
            ),
            DeclareLaunchArgument(
                "log_level",
                default_value="info",
                choices=["debug", "info", "warn", "error", "fatal"],
                description="What the nodes log",
            ),
            OpaqueFunction(function=choose_profile),
            OpaqueFunction(function=start_nodes),
            OpaqueFunction(function=start_rviz, condition=IfCondition(LaunchConfiguration("rviz"))),
        ]
    )


def choose_profile(context: LaunchContext) -> list[LaunchDescriptionEntity]:
    """The profile of Fast DDS in the environment, unless one is there."""
    profile = LaunchConfiguration("fastdds_profile").perform(context)
    if not profile or any(name in context.environment for name in PROFILE_VARIABLES):
        return []
    return [SetEnvironmentVariable(name, profile) for name in PROFILE_VARIABLES]


def start_nodes(context: LaunchContext) -> list[LaunchDescriptionEntity]:
    """The processes, with the arguments that were given put over those of the parameter file."""
    given: dict[str, Any] = {"autostart": is_set(context, "autostart")}
    if map_path := LaunchConfiguration("map").perform(context):
        given["map"] = map_path
    handed_on = bridges(context)
    if handed_on:
        given["publish_tf"] = False  # the other system has the robot's place in the map on TF
    return [*localizers(context, given), *handed_on]


def start_rviz(context: LaunchContext) -> list[LaunchDescriptionEntity]:
    """RViz, with the topics of its displays in the namespace."""
    file = PathJoinSubstitution([CONFIG, "reloc.rviz"]).perform(context)
    topics = [topic["Value"] for topic in values_of("Topic", read_yaml(file))]
    return [
        Node(
            package="rviz2",
            executable="rviz2",
            namespace=LaunchConfiguration("namespace"),
            arguments=["-d", file],
            parameters=[{"use_sim_time": is_set(context, "use_sim_time")}],
            remappings=[*TF, *((topic, topic.lstrip("/")) for topic in topics)],
        )
    ]


def is_fused(context: LaunchContext) -> bool:
    """Whether localizations are fused: as asked for, or else where there is odometry."""
    fusion = LaunchConfiguration("fusion").perform(context)
    if fusion != "auto":
        return fusion == "true"
    parameters = read_yaml(LaunchConfiguration("params_file").perform(context))
    return not any(frame == "" for frame in values_of("odom_frame", parameters))


def localizers(context: LaunchContext, given: dict[str, Any]) -> list[LaunchDescriptionEntity]:
    """The relocalizer, and what fuses its results where that is wanted."""
    images = [(name, LaunchConfiguration(name)) for name in ("image", "camera_info")]
    if not is_fused(context):
        return [process(context, "relocalizer", given, images, name="relocalizer")]
    if LaunchConfiguration("fusion_process").perform(context) == "shared":
        # Without a name, which would be that of both nodes in it.
        return [process(context, "relocalizer_with_fusion", given, images)]
    alone = given | {"publish_tf": False}
    return [
        process(context, "relocalizer", alone, images, name="relocalizer"),
        process(context, "temporal_fusion", given, images, name="temporal_fusion"),
    ]


def bridges(context: LaunchContext) -> list[LaunchDescriptionEntity]:
    """What hands the poses to act on to other systems, each where it is wanted."""
    source = "temporal_fusion" if is_fused(context) else "relocalizer"
    link = LaunchConfiguration("rtabmap").perform(context)
    wanted: dict[str, dict[str, Any]] = {"rtabmap_bridge": {"link": link}} if link != "none" else {}
    for name in ("initial_pose", "robot_localization", "autoware"):
        if is_set(context, name):
            wanted[f"{name}_bridge"] = {}
    inputs = [
        ("loop_closure", f"{source}/loop_closure"),
        ("result", f"{source}/result"),
        ("relocalize", "relocalizer/relocalize"),
    ]
    return [process(context, name, given, inputs, name=name) for name, given in wanted.items()]


def process(
    context: LaunchContext,
    executable: str,
    given: dict[str, Any],
    remappings: list[tuple[str, Any]],
    **others: Any,
) -> Node:
    """An executable of this package."""
    sim_time = {"use_sim_time": is_set(context, "use_sim_time")}
    return Node(
        package="dense_reloc_ros",
        executable=executable,
        namespace=LaunchConfiguration("namespace"),
        parameters=[LaunchConfiguration("params_file"), sim_time | given],
        remappings=[*TF, *remappings],
        ros_arguments=["--log-level", LaunchConfiguration("log_level")],
        respawn=is_set(context, "use_respawn"),
        respawn_delay=RESPAWN_SECONDS,
        output="screen",
        **others,
    )


def is_set(context: LaunchContext, switch: str) -> bool:
    """Whether an argument is true."""
    return LaunchConfiguration(switch).perform(context) == "true"


def read_yaml(path: str) -> Any:
    """The plain values of a file."""
    return yaml.safe_load(Path(path).read_text())


def values_of(wanted: str, tree: Any) -> Iterator[Any]:
    """What a name stands for, wherever it does in nested mappings and lists."""
    if isinstance(tree, list):
        for part in tree:
            yield from values_of(wanted, part)
    for name, value in tree.items() if isinstance(tree, dict) else ():
        if name == wanted:
            yield value
        yield from values_of(wanted, value)
