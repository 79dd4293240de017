"""The configuration for robot_localization: two filters, of which one has the poses of the map.

Names and types are those of its documentation and of the declarations at 1cb9533 (branch ros2).
"""

from __future__ import annotations

import ast
from typing import Any

import pytest
import yaml
from configurations.parameter_files import ROOT, flat, kind, nodes_in, table

from tools.reference.topics import INTERFACES

FILE = ROOT / "config" / "robot_localization" / "ekf.yaml"
LAUNCH_FILE = ROOT / "launch" / "robot_localization.launch.py"
DECLARED = table("""
double: frequency history_length
bool: two_d_mode publish_tf smooth_lagged_data
bool: odom0_differential odom0_relative imu0_differential imu0_relative
bool: pose0_differential pose0_relative
string: map_frame odom_frame base_link_frame world_frame odom0 imu0 pose0
int: odom0_queue_size imu0_queue_size pose0_queue_size
bool[]: odom0_config imu0_config pose0_config
double[]: initial_estimate_covariance
""")
POSE, VELOCITY = range(6), range(6, 12)
"""Of the 15 variables of a filter."""


@pytest.fixture(scope="module")
def filters() -> dict[str, dict[str, Any]]:
    return nodes_in(FILE)


@pytest.mark.parametrize("node", ["ekf_odom", "ekf_map"])
def test_parameters_are_known_and_of_the_right_type(node: str, filters: dict[str, Any]) -> None:
    for name, value in flat(filters[node]):
        assert (name, kind(value)) == (name, DECLARED.get(name))
        if isinstance(value, list):
            assert len(value) == 15


def test_one_filter_has_each_transform(filters: dict[str, Any]) -> None:
    """A filter publishes that of its world_frame: odom -> base_link, or map -> odom."""
    assert {name: node["world_frame"] for name, node in filters.items()} == {
        "ekf_odom": "odom",
        "ekf_map": "map",
    }
    reloc = yaml.safe_load((ROOT / "config" / "reloc.yaml").read_text())
    ours = reloc["/**/relocalizer"]["ros__parameters"]
    for node in filters.values():
        assert (node["base_link_frame"], node["odom_frame"]) == (
            ours["base_frame"],
            ours["odom_frame"],
        )
        assert node["map_frame"] == "map"


def test_only_poses_of_the_map_tell_the_place(filters: dict[str, Any]) -> None:
    """Odometry gives velocities: its place drifts, and would contradict the map's."""
    assert "pose0" not in filters["ekf_odom"]
    for node in filters.values():
        for sensor in ("odom0", "imu0"):
            used = {i for i, is_used in enumerate(node[f"{sensor}_config"]) if is_used}
            assert used and used <= set(VELOCITY)
    found = filters["ekf_map"]
    assert [i for i, is_used in enumerate(found["pose0_config"]) if is_used] == list(POSE)
    assert not found["pose0_differential"] and not found["pose0_relative"]


def test_the_bridge_publishes_what_the_filter_hears(filters: dict[str, Any]) -> None:
    found = filters["ekf_map"]
    topic = next(
        i.name
        for i in INTERFACES
        if i.node == "robot_localization_bridge" and i.direction == "published"
    )
    assert found["pose0"] == topic
    # A pose is as old as its image is long in work, at most.
    reloc = yaml.safe_load((ROOT / "config" / "reloc.yaml").read_text())
    longest = reloc["/**/relocalizer"]["ros__parameters"]["max_frame_seconds"]
    assert found["smooth_lagged_data"] and found["history_length"] >= longest


def test_the_launch_file_starts_these_filters_with_a_topic_each(filters: dict[str, Any]) -> None:
    (outputs,) = (
        ast.literal_eval(statement.value)
        for statement in ast.parse(LAUNCH_FILE.read_text()).body
        if isinstance(statement, ast.Assign) and ast.unparse(statement.targets[0]) == "OUTPUTS"
    )
    assert set(outputs) == set(filters)
    assert len(set(outputs.values())) == 2
