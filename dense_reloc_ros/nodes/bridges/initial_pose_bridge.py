"""The node `initial_pose_bridge`: tells AMCL or slam_toolbox once where a lost robot is."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from typing import Any

from geometry_msgs.msg import PoseWithCovarianceStamped
from rclpy.node import Node

from dense_reloc_ros.geometry.arrays import FloatArray
from dense_reloc_ros.msg import RelocResult
from dense_reloc_ros.nodes.bridges.bridge_configuration import InitialPoseConfiguration
from dense_reloc_ros.nodes.bridges.contradiction import Contradiction
from dense_reloc_ros.nodes.conversions import nanoseconds, pose_from_message
from dense_reloc_ros.nodes.output import QOS, stamped_pose
from dense_reloc_ros.nodes.parameters import declare_parameters, read_parameters
from dense_reloc_ros.nodes.reporting import ChangeReporter
from dense_reloc_ros.nodes.running import run_node
from dense_reloc_ros.nodes.transform_buffer import TransformError
from dense_reloc_ros.nodes.transforms import Heard, Transforms


class InitialPoseBridge(Node):
    """Compares what comes on `result` with the robot's place on TF, which the other one publishes.

    Where there is none, or it contradicts several poses in a row, the newest pose goes to
    `initialpose`: once, and again only after the other one has agreed in the meantime.
    slam_toolbox empties its buffer with each of them, and AMCL its particles.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__("initial_pose_bridge", **options)
        declare_parameters(self, InitialPoseConfiguration)
        self._contradiction = Contradiction()
        self._transforms = Transforms(self, ChangeReporter(self.get_logger()))
        self._transforms.open(self._hear)
        self._publisher = self.create_publisher(PoseWithCovarianceStamped, "initialpose", 1)
        self.create_subscription(RelocResult, "result", self._take, QOS)

    def destroy_node(self) -> None:
        """Stops listening to TF first."""
        self._transforms.close(self._hear)
        super().destroy_node()

    def _hear(self, _: Heard) -> None:
        """TF is looked up when a result comes."""

    def _take(self, result: RelocResult) -> None:
        settings = read_parameters(self, InitialPoseConfiguration)
        if not result.base_frame_id or result.confidence < settings.least_confidence:
            return
        is_lost = self._contradiction.is_to_be_said(
            pose_from_message(result.pose.pose),
            self._believed(settings, nanoseconds(result.header.stamp)),
            settings.largest_distance,
            math.radians(settings.largest_angle),
            settings.frames,
        )
        # Nobody would hear it: the other one is not there yet.
        if is_lost and self._publisher.get_subscription_count():
            self._contradiction.said()
            self._publisher.publish(stamped_pose(result))
            self.get_logger().info(f"told {self._publisher.topic_name} where the robot is")

    def _believed(self, settings: InitialPoseConfiguration, stamp: int) -> FloatArray | None:
        """T_map_base by TF at the image's time, or else the newest; None where there is none."""
        for time in (stamp, 0):
            try:
                return self._transforms.lookup(settings.map_frame, settings.base_frame, time)
            except TransformError:
                continue
        return None


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the node until it is interrupted; exit status 2 where its parameters make no sense."""
    return run_node(InitialPoseBridge, arguments)


if __name__ == "__main__":
    sys.exit(main())
