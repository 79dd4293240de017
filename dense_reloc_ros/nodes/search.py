"""Whether images are to be localized: always, or once, until the robot is found."""

from __future__ import annotations

import time

from rclpy.node import Node

from dense_reloc_ros.msg import LocalizationState
from dense_reloc_ros.nodes.conversions import nanoseconds
from dense_reloc_ros.nodes.latched import LATCHED
from dense_reloc_ros.nodes.placement import Placement
from dense_reloc_ros.nodes.robot_frames import RobotFrames

NEVER = -1
"""Before all stamps."""


class Search:
    """Begins with the node, and anew where the robot is lost or somebody asks for it.

    It ends with an image whose pose the belief takes: that of `temporal_fusion`, where it runs, or
    else the relocalizer's own. With `mode: continuous` it never ends.
    """

    def __init__(self, node: Node, robot: RobotFrames, placement: Placement) -> None:
        self._node = node
        self._robot = robot
        self._placement = placement
        self._since = 0.0
        """By the monotonic clock."""
        self._newest = self._fused = NEVER
        """Stamps of the image before the search, and of the one with which the fusion was sure."""
        self._is_fusion_lost = False
        self._subscription = node.create_subscription(
            LocalizationState, "temporal_fusion/state", self._hear, LATCHED
        )

    def close(self) -> None:
        """Stops listening."""
        self._node.destroy_subscription(self._subscription)

    def begin(self, newest: int | None) -> None:
        """Begins anew, with images that are yet to come; `newest` is the stamp of the last."""
        self._since = time.monotonic()
        self._newest = NEVER if newest is None else newest
        self._fused = NEVER

    @property
    def is_on(self) -> bool:
        """Whether the robot is still looked for."""
        if self._robot.settings.mode == "continuous":
            return True
        fused = self._fused
        if not self._subscription.get_publisher_count():
            fused = NEVER  # who said so is gone
        elif self._is_fusion_lost:
            return True
        return self._placement.placed <= self._since and fused <= self._newest

    def _hear(self, said: LocalizationState) -> None:
        self._is_fusion_lost = said.state == LocalizationState.LOST
        if self._is_fusion_lost:
            self._fused = NEVER
        elif said.state == LocalizationState.TRACKING:
            self._fused = nanoseconds(said.header.stamp)
