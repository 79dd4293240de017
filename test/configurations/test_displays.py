"""What RViz and Foxglove are told to show is what the nodes of the default launch publish."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tools.reference.topics import INTERFACES

ROOT = Path(__file__).parents[2]
CONFIG = ROOT / "config"
RVIZ = {
    "PointCloud2": "sensor_msgs/PointCloud2",
    "PoseArray": "geometry_msgs/PoseArray",
    "PoseWithCovariance": "geometry_msgs/PoseWithCovarianceStamped",
    "MarkerArray": "visualization_msgs/MarkerArray",
    "Path": "nav_msgs/Path",
    "Image": "sensor_msgs/Image",
}
"""The displays of rviz_default_plugins that have a topic, and the type they subscribe to."""
PUBLISHED = {
    i.name.replace("~", f"/{i.node}"): i.type
    for i in INTERFACES
    if i.direction == "published" and i.node in ("relocalizer", "temporal_fusion")
}
"""By the default launch; `test_interfaces` compares them with the running nodes."""
SHOWN = {
    topic
    for topic, kind in PUBLISHED.items()
    if kind in RVIZ.values() and not topic.endswith("/raw_pose")
}
LATCHED = {
    i.name.replace("~", f"/{i.node}") for i in INTERFACES if "ransient local" in i.content
} | {"/relocalizer/map_keyframes"}
PANELS = {
    "3D",
    "Image",
    "Tab",
    "StateTransitions",
    "Plot",
    "DiagnosticSummary",
}


def test_the_default_launch_starts_both_nodes() -> None:
    """It does where the parameter file names an odometry (argument `fusion`)."""
    parameters = yaml.safe_load((CONFIG / "reloc.yaml").read_text())
    nodes = {name: values["ros__parameters"] for name, values in parameters.items()}
    assert {name.removeprefix("/**/") for name in nodes} == {"relocalizer", "temporal_fusion"}
    assert all(values["odom_frame"] for values in nodes.values())


@pytest.fixture(scope="module")
def displays() -> list[dict[str, Any]]:
    """The displays of RViz that have a topic."""
    manager = yaml.safe_load((CONFIG / "reloc.rviz").read_text())["Visualization Manager"]
    assert manager["Global Options"]["Fixed Frame"] == "map"
    return [display for display in manager["Displays"] if "Topic" in display]


def test_rviz_shows_all_that_can_be_shown(displays: list[dict[str, Any]]) -> None:
    topics = [display["Topic"]["Value"] for display in displays]
    assert len(topics) == len(set(topics))
    assert set(topics) == SHOWN


def test_rviz_subscribes_as_the_nodes_publish(displays: list[dict[str, Any]]) -> None:
    for display in displays:
        topic = display["Topic"]["Value"]
        package, name = display["Class"].split("/")
        assert (package, RVIZ[name]) == ("rviz_default_plugins", PUBLISHED[topic])
        durability = "Transient Local" if topic in LATCHED else "Volatile"
        assert (topic, display["Topic"]["Durability Policy"]) == (topic, durability)
        assert display["Topic"]["Reliability Policy"] == "Reliable"
        assert display["Enabled"] is display["Value"]


@pytest.fixture(scope="module")
def layout() -> dict[str, Any]:
    content = json.loads((CONFIG / "foxglove_layout.json").read_text())
    assert isinstance(content, dict)
    return content


def test_foxglove_can_import_the_layout(layout: dict[str, Any]) -> None:
    """As it exports them: each panel once, in the tree or in a tab, with its configuration."""
    assert set(layout) == {
        *("configById", "globalVariables", "userNodes", "playbackConfig", "layout")
    }
    assert layout["globalVariables"] == layout["userNodes"] == {}
    assert layout["playbackConfig"] == {"speed": 1}
    panels = list(leaves(layout["layout"]))
    for panel in panels:
        for tab in layout["configById"][panel].get("tabs", []):
            assert isinstance(tab["title"], str)
            panels += leaves(tab["layout"])
    assert sorted(panels) == sorted(layout["configById"])
    assert {panel.split("!")[0] for panel in panels} == PANELS


def leaves(node: Any) -> Iterator[str]:
    """The panels of a tree; what else is in it is checked."""
    if isinstance(node, str):
        yield node
        return
    assert set(node) == {"direction", "splitPercentage", "first", "second"}
    assert node["direction"] in ("row", "column")
    assert 0 < node["splitPercentage"] < 100
    yield from leaves(node["first"])
    yield from leaves(node["second"])


def test_foxglove_shows_all_that_can_be_shown(layout: dict[str, Any]) -> None:
    panels = layout["configById"]
    images = {p["imageMode"]["imageTopic"] for n, p in panels.items() if n.startswith("Image!")}
    assert images == {topic for topic in SHOWN if PUBLISHED[topic] == "sensor_msgs/Image"}
    assert set(panels["3D!map"]["topics"]) == SHOWN - images
    assert panels["DiagnosticSummary!health"]["topicToRender"] == "/diagnostics"
    assert "/diagnostics" in PUBLISHED
    assert panels["3D!map"]["publish"]["poseEstimateTopic"] == "/initialpose"


def test_foxglove_plots_fields_that_the_messages_have(layout: dict[str, Any]) -> None:
    paths = [
        path["value"] for panel in layout["configById"].values() for path in panel.get("paths", [])
    ]
    assert len(paths) == 6
    for path in paths:
        topic, field = path.split(".")
        package, name = PUBLISHED[topic].split("/")
        assert package == "dense_reloc_ros"
        assert field in fields_of(name), path


def fields_of(message: str) -> set[str]:
    """The names of the fields of a message of this package."""
    lines = (ROOT / "msg" / f"{message}.msg").read_text().splitlines()
    statements = (line.split("#")[0].split() for line in lines)
    return {words[1] for words in statements if len(words) == 2 and "=" not in words[1]}
