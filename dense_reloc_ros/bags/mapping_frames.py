"""Frames of a bag that a map can be made of."""

from __future__ import annotations

import logging

from dense_reloc_ros.bags.bag_reader import BagReader
from dense_reloc_ros.bags.frames import read_frames
from dense_reloc_ros.errors import InputError
from dense_reloc_ros.geometry.camera import Camera
from dense_reloc_ros.mapping.sources.source_frame import SourceFrame

LOGGER = logging.getLogger(__name__)


def read_bag(
    bag: BagReader,
    pose_topic: str,
    depth_topic: str | None = None,
    image_topic: str | None = None,
    camera: Camera | None = None,
) -> list[SourceFrame]:
    """The images of an open bag that have a pose and, where there is a depth topic, depth.

    Recordings begin before the first pose, and depth cameras drop images: what is incomplete is
    left out with a warning. The bag must stay open as long as images are loaded.

    Raises:
        InputError: as `bags.frames.read_frames`, or no complete frame at all.
    """
    frames = read_frames(bag, image_topic, camera, pose_topic, depth_topic)
    posed = [frame for frame in frames if frame.T_map_camera is not None]
    if not posed:
        raise InputError(
            f"{bag.path}: no pose on {pose_topic} belongs to any of the {len(frames)} images"
        )
    complete = [frame for frame in posed if frame.read_depth or not depth_topic]
    if not complete:
        raise InputError(
            f"{bag.path}: no depth on {depth_topic} belongs to any of the {len(posed)} images"
        )
    if len(complete) < len(frames):
        LOGGER.warning(
            "%s: %d of %d images are left out, they have no pose or depth of their time",
            bag.path,
            len(frames) - len(complete),
            len(frames),
        )
    return complete
