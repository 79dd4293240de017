"""The documented topics and services are those of the running nodes."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import numpy as np
import pytest
from nodes.fake_localizer import FakeLocalizer, FakeMaps, localized

pytest.importorskip("dense_reloc_ros.msg", reason="not built: source install/setup.bash")
from nodes.fusion_harness import LoneHarness
from nodes.harness import Harness
from nodes.robot import Robot, wait_for
from rclpy.action import get_action_server_names_and_types_by_node
from rclpy.node import NodeNameNonExistentError

from dense_reloc_ros.nodes import bond
from tools.reference.topics import INTERFACES

pytestmark = pytest.mark.ros

OF_EVERY_NODE = ("rcl_interfaces/", "lifecycle_msgs/", "type_description_interfaces/")
Interfaces = set[tuple[str, str, str]]


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody takes the other side of the bond, and a busy machine looks at the nodes late."""
    monkeypatch.setattr(bond, "CONNECT_SECONDS", 120.0)


@pytest.fixture
def maps() -> FakeMaps:
    return FakeMaps(kitchen=FakeLocalizer(lambda image: localized(np.eye(4))))


@pytest.mark.parametrize(
    ("transport", "other"), [("raw", "image/compressed"), ("compressed", "image")]
)
def test_relocalizer(
    run: Callable[..., Harness], maps: FakeMaps, transport: str, other: str
) -> None:
    harness = run(Harness, maps, map="/maps/kitchen", image_transport=transport)
    harness.activate()
    compare(harness, "relocalizer", documented("relocalizer", without=other))


def test_temporal_fusion_alone(run: Callable[..., LoneHarness], maps: FakeMaps) -> None:
    harness = run(LoneHarness, maps, map="/maps/kitchen")
    harness.activate()
    compare(harness, "temporal_fusion", documented("temporal_fusion"))


def documented(node: str, without: str = "") -> Interfaces:
    """The direction, full name and type of each interface in the reference."""
    return {
        (
            interface.direction,
            f"/{interface.name.removeprefix('/').replace('~', node)}",
            interface.type,
        )
        for interface in INTERFACES
        if interface.node == node and interface.name != without
    }


def compare(harness: Robot, node: str, expected: Interfaces) -> None:
    """Waits until the others have heard of the whole node; shows what differs."""
    try:
        wait_for(lambda: running(harness.robot, node) == expected, "the documented interfaces")
    finally:
        assert running(harness.robot, node) == expected


def running(observer: Any, node: str) -> Interfaces:
    """The same of the node as another node sees it, with those that hear TF and hold its bond."""
    found = {
        "published": observer.get_publisher_names_and_types_by_node(node, "/"),
        "subscribed": observer.get_subscriber_names_and_types_by_node(node, "/"),
        "served": observer.get_service_names_and_types_by_node(node, "/"),
        "action": get_action_server_names_and_types_by_node(observer, node, "/"),
    }
    with suppress(NodeNameNonExistentError):
        found["subscribed"] += observer.get_subscriber_names_and_types_by_node(f"_{node}_tf", "/")
    with suppress(NodeNameNonExistentError):
        bond = f"_{node}_bond"
        found["published"] += observer.get_publisher_names_and_types_by_node(bond, "/")
        found["subscribed"] += observer.get_subscriber_names_and_types_by_node(bond, "/")
    return {
        (direction, name, re.sub("/(msg|srv|action)/", "/", kind))
        for direction, names in found.items()
        for name, kinds in names
        for kind in kinds
        if not kind.startswith(OF_EVERY_NODE) and "/_action/" not in name
    }
