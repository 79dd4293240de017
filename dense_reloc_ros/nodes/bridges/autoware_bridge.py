"""The node `autoware_bridge`: aligns a guess for Autoware's pose_initializer."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from typing import Any

from autoware_internal_localization_msgs.srv import PoseWithCovarianceStamped
from rclpy.callback_groups import MutuallyExclusiveCallbackGroup, ReentrantCallbackGroup
from rclpy.node import Node

from dense_reloc_ros.msg import RelocResult
from dense_reloc_ros.nodes.bridges.bridge_configuration import AutowareConfiguration
from dense_reloc_ros.nodes.output import stamped_pose
from dense_reloc_ros.nodes.parameters import declare_parameters, read_parameters
from dense_reloc_ros.nodes.running import run_node
from dense_reloc_ros.nodes.services import answering
from dense_reloc_ros.srv import Relocalize


class AutowareBridge(Node):
    """Answers `yabloc_align`, which pose_initializer calls with a guess, by localizing an image.

    The camera's newest image is localized by the relocalizer's service `relocalize`, with the guess
    as a prior where it has a frame.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__("autoware_bridge", **options)
        declare_parameters(self, AutowareConfiguration)
        self._relocalize = self.create_client(
            Relocalize, "relocalize", callback_group=ReentrantCallbackGroup()
        )
        self.create_service(
            PoseWithCovarianceStamped,
            "yabloc_align",
            answering(self._align, "yabloc_align", self.get_logger()),
            callback_group=MutuallyExclusiveCallbackGroup(),
        )

    def _align(
        self,
        request: PoseWithCovarianceStamped.Request,
        response: PoseWithCovarianceStamped.Response,
    ) -> PoseWithCovarianceStamped.Response:
        settings = read_parameters(self, AutowareConfiguration)
        result = self._localized(request, settings.timeout)
        if result is None or not result.base_frame_id:
            return response
        if result.confidence < settings.least_confidence:
            self.get_logger().warning(f"confidence {result.confidence:.2f} is too low to answer")
            return response
        response.success = True
        response.reliable = result.confidence >= settings.reliable_confidence
        response.pose_with_covariance = stamped_pose(result)
        return response

    def _localized(
        self, request: PoseWithCovarianceStamped.Request, timeout: float
    ) -> RelocResult | None:
        if not self._relocalize.service_is_ready():
            self.get_logger().warning(
                f"no service {self._relocalize.srv_name}: is the relocalizer running?"
            )
            return None
        guess = request.pose_with_covariance
        future = self._relocalize.call_async(
            Relocalize.Request(use_prior=bool(guess.header.frame_id), prior=guess)
        )
        deadline = time.monotonic() + timeout
        while not future.done() and time.monotonic() < deadline:
            time.sleep(0.01)
        answer = future.result() if future.done() else None
        if answer is None:
            self.get_logger().warning(f"the relocalizer did not answer within {timeout:g} s")
            return None
        if answer.result.reason:
            self.get_logger().warning(f"not localized: {answer.result.reason}")
        return answer.result


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the node until it is interrupted; exit status 2 where its parameters make no sense."""
    return run_node(AutowareBridge, arguments)


if __name__ == "__main__":
    sys.exit(main())
