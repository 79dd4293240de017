"""From a frame as it came to its image and camera."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sensor_msgs.msg import CameraInfo

from dense_reloc_ros.geometry.camera import Camera
from dense_reloc_ros.geometry.camera_info import camera_from_info, named_rectified
from dense_reloc_ros.nodes.camera_input import Frame
from dense_reloc_ros.nodes.conversions import image_from_message, info_of_rectified
from dense_reloc_ros.nodes.node_configuration import RelocalizerConfiguration

FrameView = tuple[NDArray[np.uint8], Camera, CameraInfo]
"""The RGB image (H, W, 3) of a frame, its camera, and the intrinsics that say so."""


def takes_rectified(settings: RelocalizerConfiguration, image_topic: str) -> bool:
    """Whether images are taken as rectified: by the parameter, or by their topic's name."""
    chosen = settings.rectified
    return named_rectified(image_topic) if chosen == "auto" else chosen


def view_of(frame: Frame, *, rectified: bool) -> FrameView:
    """What a frame shows.

    Raises:
        InputError: an image or intrinsics that cannot be used, or that contradict each other.
    """
    info = info_of_rectified(frame.camera_info) if rectified else frame.camera_info
    image = image_from_message(frame.image)
    camera = camera_from_info(info)
    camera.check_image(image)
    return image, camera, info
