"""The configuration for Nav2 has parameters that its nodes know, and frames that agree with ours.

Names and types are those that the nodes of Nav2 declare at f4108e5b (its branch jazzy).
"""

from __future__ import annotations

import ast
from typing import Any

import pytest
from configurations.parameter_files import ROOT, flat, kind, nodes_in, table

from dense_reloc_ros.nodes.node_configuration import FusionConfiguration, RelocalizerConfiguration
from tools.reference.topics import INTERFACES

FILE = ROOT / "config" / "nav2" / "nav2.yaml"
LAUNCH_FILE = ROOT / "launch" / "nav2.launch.py"
COSTMAP = table("""
string: global_frame robot_base_frame static_layer.plugin obstacle_layer.plugin
string: inflation_layer.plugin obstacle_layer.observation_sources
string: obstacle_layer.scan.topic obstacle_layer.scan.data_type
string[]: plugins
double: initial_transform_timeout transform_tolerance update_frequency publish_frequency
double: resolution robot_radius inflation_layer.inflation_radius
double: inflation_layer.cost_scaling_factor obstacle_layer.scan.obstacle_max_range
double: obstacle_layer.scan.raytrace_max_range obstacle_layer.scan.max_obstacle_height
bool: track_unknown_space rolling_window static_layer.map_subscribe_transient_local
bool: obstacle_layer.scan.marking obstacle_layer.scan.clearing
int: width height
""")
MANAGER = table("""
bool: autostart
string[]: node_names
double: bond_timeout
""")
DECLARED = {
    "lifecycle_manager_localization": MANAGER,
    "lifecycle_manager_navigation": MANAGER,
    "map_server": table("string: yaml_filename topic_name frame_id"),
    "global_costmap": COSTMAP,
    "local_costmap": COSTMAP,
    "planner_server": table("""
string[]: planner_plugins
string: GridBased.plugin
double: GridBased.tolerance
bool: GridBased.use_astar GridBased.allow_unknown
"""),
    "controller_server": table("""
double: controller_frequency failure_tolerance progress_checker.required_movement_radius
double: progress_checker.movement_time_allowance goal_checker.xy_goal_tolerance
double: goal_checker.yaw_goal_tolerance FollowPath.desired_linear_vel FollowPath.lookahead_dist
double: FollowPath.transform_tolerance FollowPath.rotate_to_heading_angular_vel
bool: FollowPath.use_collision_detection FollowPath.use_rotate_to_heading
string: progress_checker.plugin goal_checker.plugin FollowPath.plugin
string[]: progress_checker_plugins goal_checker_plugins controller_plugins
"""),
    "behavior_server": table("""
string: local_costmap_topic global_costmap_topic local_footprint_topic global_footprint_topic
string: local_frame global_frame robot_base_frame spin.plugin backup.plugin wait.plugin
string[]: behavior_plugins
double: cycle_frequency transform_tolerance max_rotational_vel min_rotational_vel
"""),
    "bt_navigator": table("""
string: global_frame robot_base_frame odom_topic navigate_to_pose.plugin
string: navigate_through_poses.plugin
string[]: navigators error_code_names
double: transform_tolerance
"""),
}
PLUGINS = {
    "nav2_costmap_2d::StaticLayer",
    "nav2_costmap_2d::ObstacleLayer",
    "nav2_costmap_2d::InflationLayer",
    "nav2_navfn_planner::NavfnPlanner",
    "nav2_controller::SimpleProgressChecker",
    "nav2_controller::SimpleGoalChecker",
    "nav2_regulated_pure_pursuit_controller::RegulatedPurePursuitController",
    "nav2_behaviors::Spin",
    "nav2_behaviors::BackUp",
    "nav2_behaviors::Wait",
    "nav2_bt_navigator::NavigateToPoseNavigator",
    "nav2_bt_navigator::NavigateThroughPosesNavigator",
}
"""Classes that the packages export for pluginlib."""
OURS = ("relocalizer", "temporal_fusion")
COSTMAPS = {"global_costmap": "planner_server", "local_costmap": "controller_server"}
"""Nodes that others start."""


@pytest.fixture(scope="module")
def nodes() -> dict[str, dict[str, Any]]:
    return nodes_in(FILE)


@pytest.mark.parametrize("node", DECLARED)
def test_parameters_are_known_and_of_the_right_type(node: str, nodes: dict[str, Any]) -> None:
    for name, value in flat(nodes[node]):
        assert (name, kind(value)) == (name, DECLARED[node].get(name))


def test_plugins_are_listed_and_exist(nodes: dict[str, Any]) -> None:
    for node, parameters in nodes.items():
        if node in OURS:
            continue
        listed = {
            plugin
            for name, value in parameters.items()
            if name.endswith("plugins") or name == "navigators"
            for plugin in value
        }
        described = {name: v["plugin"] for name, v in parameters.items() if isinstance(v, dict)}
        assert (node, set(described)) == (node, listed)
        assert set(described.values()) <= PLUGINS


def test_the_managers_start_each_node_once(nodes: dict[str, Any]) -> None:
    managers = [nodes[f"lifecycle_manager_{part}"] for part in ("localization", "navigation")]
    started = [name for manager in managers for name in manager["node_names"]]
    assert len(started) == len(set(started))
    assert set(started) == set(launched()) | set(OURS)
    assert set(nodes) == {*started, *COSTMAPS, *(n for n in nodes if n.startswith("lifecycle_"))}
    # The map, and where the robot is in it, come before what needs them.
    assert managers[0]["node_names"] == ["map_server", *OURS]


def launched() -> dict[str, str]:
    """The nodes of Nav2 that the launch file starts, and their packages."""
    statements = ast.parse(LAUNCH_FILE.read_text()).body
    (nodes,) = (
        statement.value
        for statement in statements
        if isinstance(statement, ast.Assign) and ast.unparse(statement.targets[0]) == "NODES"
    )
    return dict(ast.literal_eval(nodes))


def test_frames_are_the_same_everywhere(nodes: dict[str, Any]) -> None:
    ours = nodes["relocalizer"]
    fused = nodes["temporal_fusion"]
    assert (fused["base_frame"], fused["odom_frame"]) == (ours["base_frame"], ours["odom_frame"])
    expected = {
        "robot_base_frame": ours["base_frame"],
        "local_frame": ours["odom_frame"],
        "frame_id": ours["map_frame"],
    }
    for node, parameters in nodes.items():
        frame = ours["odom_frame" if node == "local_costmap" else "map_frame"]
        for name, value in parameters.items():
            if name in (*expected, "global_frame"):
                assert (node, name, value) == (node, name, expected.get(name, frame))


def test_our_parameters_are_our_own(nodes: dict[str, Any]) -> None:
    for node, model in (
        ("relocalizer", RelocalizerConfiguration),
        ("temporal_fusion", FusionConfiguration),
    ):
        declared = dict(flat(model.model_validate(nodes[node]).model_dump()))
        assert dict(flat(nodes[node])).items() <= declared.items()


def test_nobody_else_has_the_transform_of_the_map(nodes: dict[str, Any]) -> None:
    assert "amcl" not in nodes
    owners = {i.node for i in INTERFACES if i.direction == "published" and i.name == "/tf"}
    assert owners == set(OURS)
