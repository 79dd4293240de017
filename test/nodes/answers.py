"""Answers of a relocalizer as a test wants them."""

from __future__ import annotations

import time

from nodes.fake_localizer import FakeLocalizer
from nodes.robot import CAMERA_FRAME, camera_info

from dense_reloc_ros.geometry.camera_info import camera_from_info
from dense_reloc_ros.localization.result import Localization
from dense_reloc_ros.nodes.answer import Answer
from dense_reloc_ros.nodes.results import MapIdentity, result_message
from dense_reloc_ros.nodes.robot_frames import FrameHeader


def make_answer(
    seconds: float,
    localization: Localization,
    localizer: FakeLocalizer | None = None,
    revision: str = "revision 0",
) -> Answer:
    """What is said about an image of that time; its base is unknown."""
    header = FrameHeader(round(seconds * 1e9), CAMERA_FRAME, time.monotonic())
    identity = MapIdentity("map", revision, "fake")
    result = result_message(header, localization, identity, "", None, 0.01)
    info = camera_info()
    return Answer(header, info, localization, result, localizer, camera_from_info(info))
