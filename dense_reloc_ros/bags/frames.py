"""The images of a bag as `SourceFrame`s, with the poses and depth recorded along with them."""

from __future__ import annotations

import logging
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import numpy as np

from dense_reloc_ros.bags.bag_reader import BagReader, stamp_of
from dense_reloc_ros.bags.camera_poses import PoseSource, camera_poses
from dense_reloc_ros.bags.cameras import (
    COMPRESSED_TYPE,
    IMAGE_TYPES,
    camera_info_topic,
    decode_image,
    find_image_topic,
    read_info,
)
from dense_reloc_ros.bags.rectification import is_rectified
from dense_reloc_ros.bags.topics import GROUND_TRUTH_TOPIC
from dense_reloc_ros.errors import InputError
from dense_reloc_ros.geometry.arrays import DepthImage
from dense_reloc_ros.geometry.camera import Camera
from dense_reloc_ros.geometry.camera_info import camera_from_info
from dense_reloc_ros.geometry.trajectory import DEFAULT_TOLERANCE, format_stamp
from dense_reloc_ros.images.encodings import (
    decode_compressed_depth,
    decode_depth,
)
from dense_reloc_ros.mapping.sources.source_frame import SourceFrame
from dense_reloc_ros.stamps import NANOSECONDS, stamp_or

logger = logging.getLogger(__name__)

Pixels = TypeVar("Pixels")


@dataclass(frozen=True)
class _IndexedImage:
    """Where an image lies in a bag."""

    topic: str
    time: int
    """When it was recorded, nanoseconds."""
    stamp: int
    """Of its header, nanoseconds."""
    frame_id: str


def read_frames(
    bag: BagReader,
    image_topic: str | None = None,
    camera: Camera | None = None,
    pose_topic: str | PoseSource | None = None,
    depth_topic: str | None = None,
    rectified: bool | None = None,
    depth_tolerance: int = DEFAULT_TOLERANCE,
    depth_scale: float | None = None,
) -> list[SourceFrame]:
    """The images of one camera in the order of their stamps; pixels are read when asked for.

    The bag must stay open as long as images are loaded. `image_topic` None is the only colour
    image topic of the bag; `camera` None is what its camera_info says of raw or `rectified` images
    (None: what topics and pixels say). Poses on `pose_topic` are interpolated; depth belongs to the
    image within `depth_tolerance` nanoseconds. `depth_scale` is the values per metre of the depth;
    None is what REP-118 says: 1000 of whole numbers, 1 of others.

    Raises:
        InputError: missing topics or ones of another type (lists what is there), more than one
            camera to choose from, or unusable intrinsics or poses.
    """
    topic = find_image_topic(bag) if image_topic is None else image_topic
    bag.require(topic, IMAGE_TYPES)
    camera = camera or read_camera(bag, topic, rectified)
    images = _index(bag, topic)
    source = PoseSource(pose_topic) if isinstance(pose_topic, str) else pose_topic
    pose_at = camera_poses(bag, source, images[0].frame_id) if source else None
    if depth_topic:
        bag.require(depth_topic, IMAGE_TYPES)
    depths = _index(bag, depth_topic) if depth_topic else []
    return [
        SourceFrame(
            name=f"image-{index:06d}",
            timestamp=image.stamp / NANOSECONDS,
            camera=camera,
            T_map_camera=pose_at(image.stamp) if pose_at else None,
            read_image=partial(_load, bag, image, decode_image),
            read_depth=_depth_reader(bag, image.stamp, depths, depth_tolerance, depth_scale),
            exact_stamp=image.stamp,
        )
        for index, image in enumerate(images)
    ]


@dataclass(frozen=True)
class MappingFrames:
    """Frames of a bag that can be in a map, and why others cannot."""

    frames: list[SourceFrame]
    left_out: dict[str, int]
    """Reasons, and how many frames each of them left out."""


def read_mapping_frames(
    bag: BagReader,
    poses: str | PoseSource,
    depth_topic: str | None = None,
    image_topic: str | None = None,
    camera: Camera | None = None,
    rectified: bool | None = None,
    depth_tolerance: int = DEFAULT_TOLERANCE,
    depth_scale: float | None = None,
) -> MappingFrames:
    """The images of an open bag that have a pose and, where there is a depth topic, depth.

    Recordings begin before the first pose, and depth cameras drop images: what is incomplete is
    left out, counted and logged. The bag must stay open as long as images are loaded.

    Raises:
        InputError: as `read_frames`, or no complete frame at all.
    """
    source = PoseSource(poses) if isinstance(poses, str) else poses
    frames = read_frames(
        bag, image_topic, camera, source, depth_topic, rectified, depth_tolerance, depth_scale
    )
    posed = require_poses(bag, source.name, frames)
    complete = [frame for frame in posed if frame.read_depth or not depth_topic]
    if depth_topic and not complete:
        raise InputError(
            f"{bag.path}: no depth on {depth_topic} belongs to any of the {len(posed)} images: the "
            f"nearest is {_smallest_gap(bag, depth_topic, posed):.1f} ms away, more than the "
            f"{depth_tolerance / 1e6:g} ms of --depth-tolerance"
        )
    no_pose = f"no pose of {source.name} before and after within {source.largest_gap / 1e9:g} s"
    no_depth = f"no depth within {depth_tolerance / 1e6:g} ms"
    counts = {no_pose: len(frames) - len(posed), no_depth: len(posed) - len(complete)}
    left_out = {reason: count for reason, count in counts.items() if count}
    for reason, count in left_out.items():
        logger.warning("%s: %d of %d images are left out: %s", bag.path, count, len(frames), reason)
    return MappingFrames(complete, left_out)


def require_poses(
    bag: BagReader, pose_topic: str, frames: Sequence[SourceFrame]
) -> list[SourceFrame]:
    """Those of `frames` that have a pose.

    Raises:
        InputError: none of them.
    """
    posed = [frame for frame in frames if frame.T_map_camera is not None]
    if not posed:
        raise InputError(
            f"{bag.path}: no pose on {pose_topic} belongs to any of the {len(frames)} images"
        )
    return posed


def truth_topic(bag: BagReader) -> str | None:
    """The topic where this package's own bags have the true poses; None where there is none."""
    return GROUND_TRUTH_TOPIC if GROUND_TRUTH_TOPIC in bag.topics else None


def read_camera(bag: BagReader, image_topic: str, rectified: bool | None = None) -> Camera:
    """The intrinsics for an image topic: `camera_info` in its namespace, or the only one.

    Those of raw images or of `rectified` ones; None: what topics and pixels say.

    Raises:
        InputError: no camera_info, several to choose from, or none that can be used.
    """
    topic = camera_info_topic(bag, image_topic)
    try:
        return camera_from_info(read_info(bag, topic), is_rectified(bag, image_topic, rectified))
    except InputError as error:
        raise InputError(f"{bag.path}: {topic}: {error}") from None


def _index(bag: BagReader, topic: str) -> list[_IndexedImage]:
    images = []
    for message, decoded in bag.decoded([topic]):
        stamp = stamp_or(stamp_of(decoded), message.time)
        images.append(_IndexedImage(topic, message.time, stamp, decoded.header.frame_id))
    return sorted(images, key=lambda image: image.stamp)


def _load(bag: BagReader, image: _IndexedImage, decode: Callable[[Any], Pixels]) -> Pixels:
    for message in bag.messages([image.topic], image.time, image.time + 1):
        decoded = bag.decode(message)
        if image.stamp in (stamp_of(decoded), message.time):
            try:
                return decode(decoded)
            except InputError as error:
                stamp = format_stamp(image.stamp)
                raise InputError(f"{bag.path}: {image.topic} at {stamp} s: {error}") from None
    raise InputError(f"{bag.path}: {image.topic}: the bag changed while it was read")


def _nearest(stamp: int, images: Sequence[_IndexedImage]) -> _IndexedImage | None:
    """The image nearest in time, of those in the order of their stamps."""
    after = bisect_left(images, stamp, key=lambda image: image.stamp)
    around = images[max(0, after - 1) : after + 1]
    return min(around, key=lambda image: abs(image.stamp - stamp), default=None)


def _depth_reader(
    bag: BagReader,
    stamp: int,
    depths: Sequence[_IndexedImage],
    tolerance: int,
    scale: float | None,
) -> Callable[[], DepthImage] | None:
    nearest = _nearest(stamp, depths)
    if nearest is None or abs(nearest.stamp - stamp) > tolerance:
        return None
    return partial(_load, bag, nearest, partial(_decode_depth, scale=scale))


def _smallest_gap(bag: BagReader, topic: str, frames: Sequence[SourceFrame]) -> float:
    """Milliseconds between an image and the depth nearest to it, of all the smallest."""
    depths = _index(bag, topic)
    gaps = [
        abs(nearest.stamp - frame.stamp)
        for frame in frames
        if (nearest := _nearest(frame.stamp, depths))
    ]
    return min(gaps, default=0) / 1e6


def default_depth_scale(bag: BagReader, topic: str) -> float:
    """Values per metre that the depth on a topic has by REP-118."""
    return _usual_scale(bag.first(topic))


def _decode_depth(message: Any, scale: float | None) -> DepthImage:
    if message.__msgtype__ == COMPRESSED_TYPE:
        metres = decode_compressed_depth(message.format, message.data)
    else:
        metres = decode_depth(message)
    return metres if scale is None else metres * np.float32(_usual_scale(message) / scale)


def _usual_scale(message: Any) -> float:
    encoding = message.format if message.__msgtype__ == COMPRESSED_TYPE else message.encoding
    return 1.0 if encoding.startswith("32FC1") else 1000.0
