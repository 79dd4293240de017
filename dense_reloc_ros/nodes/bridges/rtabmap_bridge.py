"""The node `rtabmap_bridge`: loop closures for RTAB-Map's pose graph."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Sequence
from typing import Any

from rclpy.node import Node
from rtabmap_msgs.msg import Info, LandmarkDetection
from rtabmap_msgs.srv import AddLink

from dense_reloc_ros.msg import LoopClosure
from dense_reloc_ros.nodes.bridges.bridge_configuration import RtabmapConfiguration
from dense_reloc_ros.nodes.bridges.rtabmap_links import (
    landmark_detection,
    link_to_keyframe,
    node_of_keyframe,
)
from dense_reloc_ros.nodes.conversions import nanoseconds
from dense_reloc_ros.nodes.loop_closures import QOS
from dense_reloc_ros.nodes.parameters import declare_parameters, read_parameters
from dense_reloc_ros.nodes.running import run_node
from dense_reloc_ros.stamps import NANOSECONDS

REMEMBERED = 100
"""Nodes of RTAB-Map and constraints that wait for each other."""


class RtabmapBridge(Node):
    """Hands on what comes on `loop_closure`.

    As detections of landmarks on `landmark_detection`, or by calling `add_link`: this takes the ids
    of RTAB-Map's nodes, which come with their stamps on `info`.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__("rtabmap_bridge", **options)
        declare_parameters(self, RtabmapConfiguration, read_only={"link"})
        self._nodes: deque[tuple[int, int]] = deque(maxlen=REMEMBERED)
        self._waiting: deque[LoopClosure] = deque(maxlen=REMEMBERED)
        settings = read_parameters(self, RtabmapConfiguration)
        self.create_subscription(LoopClosure, "loop_closure", self._take, QOS)
        if settings.link == "add_link":
            self.create_subscription(Info, "info", self._take_node, 10)
            self._links = self.create_client(AddLink, "add_link")
        else:
            self._landmarks = self.create_publisher(LandmarkDetection, "landmark_detection", 10)

    def _take(self, closure: LoopClosure) -> None:
        settings = read_parameters(self, RtabmapConfiguration)
        if closure.keyframe < 0 or closure.confidence < settings.least_confidence:
            return
        if settings.link == "landmark_detection":
            self._landmarks.publish(landmark_detection(closure, settings.first_landmark))
            return
        self._waiting.append(closure)
        self._link()

    def _take_node(self, info: Info) -> None:
        if info.ref_id > 0:
            self._nodes.append((nanoseconds(info.header.stamp), info.ref_id))
            self._link()

    def _link(self) -> None:
        """Adds the links of all constraints whose node is known; the others go on waiting."""
        settings = read_parameters(self, RtabmapConfiguration)
        tolerance = round(settings.stamp_tolerance * NANOSECONDS)
        for closure in list(self._waiting):
            stamp = nanoseconds(closure.header.stamp)
            near = [node for when, node in self._nodes if abs(when - stamp) <= tolerance]
            if near:
                self._waiting.remove(closure)
                self._add(closure, near[-1])

    def _add(self, closure: LoopClosure, node: int) -> None:
        keyframe = node_of_keyframe(closure.keyframe_name)
        if keyframe is None:
            self.get_logger().warning(
                f"keyframe '{closure.keyframe_name}' has no node's number in its name: build the "
                "map from images that are named by the ids of RTAB-Map's nodes"
            )
        elif not self._links.service_is_ready():
            self.get_logger().warning(
                f"no service {self._links.srv_name}: is RTAB-Map running, and add_link remapped?"
            )
        elif keyframe != node:
            link = link_to_keyframe(closure, node, keyframe)
            self._links.call_async(AddLink.Request(link=link))


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the node until it is interrupted; exit status 2 where its parameters make no sense."""
    return run_node(RtabmapBridge, arguments)


if __name__ == "__main__":
    sys.exit(main())
