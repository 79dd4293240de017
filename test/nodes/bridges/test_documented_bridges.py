"""The documented topics and services are those of the running bridges."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest

pytest.importorskip("dense_reloc_ros.msg", reason="not built: source install/setup.bash")
from nodes.observer import wait_for
from rclpy.node import NodeNameNonExistentError

from dense_reloc_ros.nodes.bridges.initial_pose_bridge import InitialPoseBridge
from dense_reloc_ros.nodes.bridges.robot_localization_bridge import RobotLocalizationBridge
from tools.reference.topics import INTERFACES

pytestmark = pytest.mark.ros
OF_EVERY_NODE = ("rcl_interfaces/", "type_description_interfaces/")


def kind_of(name: str) -> Any:
    """The class of a node; those that need messages of others only where these are."""
    if name == "rtabmap_bridge":
        pytest.importorskip("rtabmap_msgs.msg", reason="not built")
        from dense_reloc_ros.nodes.bridges.rtabmap_bridge import RtabmapBridge

        return RtabmapBridge
    if name == "autoware_bridge":
        pytest.importorskip("autoware_internal_localization_msgs.srv", reason="not built")
        from dense_reloc_ros.nodes.bridges.autoware_bridge import AutowareBridge

        return AutowareBridge
    known = {
        "initial_pose_bridge": InitialPoseBridge,
        "robot_localization_bridge": RobotLocalizationBridge,
    }
    return known[name]


@pytest.mark.parametrize(
    ("name", "parameters", "without"),
    [
        ("rtabmap_bridge", {"link": "landmark_detection"}, "info"),
        ("rtabmap_bridge", {"link": "add_link"}, "landmark_detection"),
        ("initial_pose_bridge", {}, ""),
        ("robot_localization_bridge", {}, ""),
        ("autoware_bridge", {}, ""),
    ],
)
def test_a_bridge(start_bridge: Any, name: str, parameters: dict[str, Any], without: str) -> None:
    harness = start_bridge(kind_of(name), **parameters)
    expected = {
        (one.direction, f"/{one.name.removeprefix('/')}", one.type)
        for one in INTERFACES
        if one.node == name and one.name != without
    }
    try:
        wait_for(lambda: running(harness.node, name) == expected, "the documented interfaces")
    finally:
        assert running(harness.node, name) == expected


def running(observer: Any, node: str) -> set[tuple[str, str, str]]:
    """Direction, name and type as another node sees them."""
    found = {
        "published": observer.get_publisher_names_and_types_by_node(node, "/"),
        "subscribed": observer.get_subscriber_names_and_types_by_node(node, "/"),
        "served": observer.get_service_names_and_types_by_node(node, "/"),
    }
    with suppress(NodeNameNonExistentError):  # the hidden node that hears TF for it
        found["subscribed"] += observer.get_subscriber_names_and_types_by_node(f"_{node}_tf", "/")
    return {
        (direction, name, kind.replace("/msg/", "/").replace("/srv/", "/"))
        for direction, names in found.items()
        for name, kinds in names
        for kind in kinds
        if not kind.startswith(OF_EVERY_NODE)
    }
