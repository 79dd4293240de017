"""What became of a frame, as it goes from node to node and out to the topics."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sensor_msgs.msg import CameraInfo

from dense_reloc_ros.geometry.camera import Camera
from dense_reloc_ros.localization.localizer import Localizer
from dense_reloc_ros.localization.result import Localization
from dense_reloc_ros.msg import RelocResult
from dense_reloc_ros.nodes.robot_frames import FrameHeader


@dataclass(frozen=True)
class FrameResult:
    """A frame and what was found out about it."""

    header: FrameHeader
    camera_info: CameraInfo
    localization: Localization
    message: RelocResult
    """What is published about it."""
    localizer: Localizer | None
    """Whose map the pose is about."""
    camera: Camera | None
    """Of the image as it came, None where one of the two could not be read."""
    image: NDArray[np.uint8] | None = None
    """(H, W, 3) RGB, None where it could not be read or stayed in another process."""
    raw: RelocResult | None = None
    """What the frame alone would say, where it was localized and then fused."""
