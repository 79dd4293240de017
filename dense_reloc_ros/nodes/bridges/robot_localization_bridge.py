"""The node `robot_localization_bridge`: poses for the filters of robot_localization."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
from geometry_msgs.msg import PoseWithCovarianceStamped
from rclpy.node import Node

from dense_reloc_ros.geometry.arrays import FloatArray
from dense_reloc_ros.msg import RelocResult
from dense_reloc_ros.nodes.bridges.bridge_configuration import RobotLocalizationConfiguration
from dense_reloc_ros.nodes.loop_closures import covariance_of
from dense_reloc_ros.nodes.output import QOS, stamped_pose
from dense_reloc_ros.nodes.parameters import declare_parameters, read_parameters
from dense_reloc_ros.nodes.running import run_node


class RobotLocalizationBridge(Node):
    """Publishes the poses of the base that come on `result` as `pose0`."""

    def __init__(self, **options: Any) -> None:
        super().__init__("robot_localization_bridge", **options)
        declare_parameters(self, RobotLocalizationConfiguration)
        self._publisher = self.create_publisher(PoseWithCovarianceStamped, "pose0", QOS)
        self.create_subscription(RelocResult, "result", self._take, QOS)

    def _take(self, result: RelocResult) -> None:
        settings = read_parameters(self, RobotLocalizationConfiguration)
        if not result.base_frame_id or result.confidence < settings.least_confidence:
            return
        message = stamped_pose(result)
        covariance = at_least(covariance_of(message.pose), settings.least_deviation)
        message.pose.covariance = covariance.reshape(36)
        self._publisher.publish(message)


def at_least(covariance: FloatArray, deviation: float) -> FloatArray:
    """A covariance (6, 6) that is no smaller than a standard deviation in any direction."""
    values, directions = np.linalg.eigh(covariance)
    return np.asarray((directions * np.maximum(values, deviation**2)) @ directions.T)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the node until it is interrupted; exit status 2 where its parameters make no sense."""
    return run_node(RobotLocalizationBridge, arguments)


if __name__ == "__main__":
    sys.exit(main())
