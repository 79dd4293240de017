"""Results of a relocalizer as a test wants them."""

from __future__ import annotations

import logging
import time

from nodes.fake_localizer import FakeLocalizer
from nodes.robot import CAMERA_FRAME, camera_info

from dense_reloc_ros.geometry.arrays import FloatArray
from dense_reloc_ros.geometry.camera_info import camera_from_info
from dense_reloc_ros.localization.result import Localization
from dense_reloc_ros.nodes.frame_result import FrameResult
from dense_reloc_ros.nodes.node_configuration import NodeConfiguration
from dense_reloc_ros.nodes.reporting import ChangeReporter
from dense_reloc_ros.nodes.results import MapIdentity, result_message
from dense_reloc_ros.nodes.robot_frames import FrameHeader, RobotFrames
from dense_reloc_ros.nodes.transform_buffer import TransformHistory


class KnownTransforms(TransformHistory):
    """Stands in for `Transforms`: what a test has inserted, and no more will come."""

    def lookup(self, target: str, source: str, stamp: int, timeout: float = 0.0) -> FloatArray:
        return super().lookup(target, source, stamp)

    def are_connected(self, target: str, source: str) -> bool:
        return False


def make_result(
    seconds: float,
    localization: Localization,
    localizer: FakeLocalizer | None = None,
    revision: str = "revision 0",
) -> FrameResult:
    """What is said about an image of that time, which came 10 ms ago; its base is unknown."""
    header = FrameHeader(round(seconds * 1e9), CAMERA_FRAME, time.monotonic() - 0.01)
    robot = RobotFrames(
        NodeConfiguration(transform_timeout=0.0),
        KnownTransforms(),
        ChangeReporter(logging.getLogger(__name__)),
    )
    message = result_message(header, localization, MapIdentity("map", revision, "fake"), robot)
    info = camera_info()
    return FrameResult(header, info, localization, message, localizer, camera_from_info(info))
