"""A topic, a service or an action, as the reference lists it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

NodeName = Literal[
    "relocalizer",
    "temporal_fusion",
    "rtabmap_bridge",
    "initial_pose_bridge",
    "robot_localization_bridge",
    "autoware_bridge",
]
Direction = Literal["published", "subscribed", "served", "action"]


@dataclass(frozen=True)
class Interface:
    """A topic, a service or an action of a node."""

    node: NodeName
    direction: Direction
    name: str
    """As it is remapped: `~/pose`, or `image`."""
    type: str
    """package/Type."""
    content: str


def both(direction: Direction, name: str, kind: str, content: str) -> list[Interface]:
    """The same interface of both nodes."""
    return [
        Interface("relocalizer", direction, name, kind, content),
        Interface("temporal_fusion", direction, name, kind, content),
    ]
