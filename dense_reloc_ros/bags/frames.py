"""The images of a bag as `SourceFrame`s, with the poses and depth recorded along with them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from dense_reloc_ros.bags.bag_reader import BagReader, stamp_of
from dense_reloc_ros.bags.recorded_poses import read_poses
from dense_reloc_ros.bags.topics import COMPRESSED_SUFFIX
from dense_reloc_ros.errors import InputError
from dense_reloc_ros.geometry.arrays import DepthImage, RgbImage
from dense_reloc_ros.geometry.camera import Camera
from dense_reloc_ros.geometry.camera_info import camera_from_info
from dense_reloc_ros.geometry.trajectory import DEFAULT_TOLERANCE, format_stamp
from dense_reloc_ros.images.encodings import (
    DEPTH_ENCODINGS,
    decode_compressed,
    decode_compressed_depth,
    decode_depth,
    decode_raw,
)
from dense_reloc_ros.mapping.sources.source_frame import SourceFrame
from dense_reloc_ros.stamps import NANOSECONDS

logger = logging.getLogger(__name__)

RAW_TYPE = "sensor_msgs/msg/Image"
COMPRESSED_TYPE = "sensor_msgs/msg/CompressedImage"
IMAGE_TYPES = (RAW_TYPE, COMPRESSED_TYPE)
CAMERA_INFO_TYPE = "sensor_msgs/msg/CameraInfo"

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
    pose_topic: str | None = None,
    depth_topic: str | None = None,
) -> list[SourceFrame]:
    """The images of one camera in the order of their stamps; pixels are read when asked for.

    The bag must stay open as long as images are loaded. `image_topic` None is the only colour
    image topic of the bag; `camera` None is what its camera_info says. Poses and depth belong to
    the image nearest in time, within 5 ms.

    Raises:
        InputError: missing topics or ones of another type (lists what is there), more than one
            camera to choose from, or unusable intrinsics or poses.
    """
    topic = find_image_topic(bag) if image_topic is None else image_topic
    bag.require(topic, IMAGE_TYPES)
    camera = camera or read_camera(bag, topic)
    images = _index(bag, topic)
    poses = read_poses(bag, pose_topic, images[0].frame_id) if pose_topic else None
    if depth_topic:
        bag.require(depth_topic, IMAGE_TYPES)
    depths = _index(bag, depth_topic) if depth_topic else []
    return [
        SourceFrame(
            name=f"image-{index:06d}",
            timestamp=image.stamp / NANOSECONDS,
            camera=camera,
            T_map_camera=poses.at(image.stamp) if poses else None,
            read_image=partial(_load, bag, image, _decode_image),
            read_depth=_depth_reader(bag, image.stamp, depths),
        )
        for index, image in enumerate(images)
    ]


def read_mapping_frames(
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
        InputError: as `read_frames`, or no complete frame at all.
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
        logger.warning(
            "%s: %d of %d images are left out, they have no pose or depth of their time",
            bag.path,
            len(frames) - len(complete),
            len(frames),
        )
    return complete


def find_image_topic(bag: BagReader) -> str:
    """The only topic with colour or grey images; of a raw and a compressed copy, the raw one.

    Raises:
        InputError: none, or several cameras.
    """
    images = [
        topic
        for topic, type_name in bag.topics.items()
        if type_name in IMAGE_TYPES and not _holds_depth(bag, topic)
    ]
    copies = {topic + COMPRESSED_SUFFIX for topic in images}
    cameras = [topic for topic in images if topic not in copies]
    if len(cameras) == 1:
        return cameras[0]
    if not cameras:
        there = ", ".join(f"{name} ({kind})" for name, kind in bag.topics.items())
        raise InputError(f"{bag.path}: no images in the bag; there are: {there or 'no messages'}")
    raise InputError(f"{bag.path}: several image topics, choose one of them: {', '.join(cameras)}")


def read_camera(bag: BagReader, image_topic: str) -> Camera:
    """The intrinsics for an image topic: `camera_info` in its namespace, or the only one.

    Raises:
        InputError: no camera_info, several to choose from, or one that cannot be used.
    """
    topic = camera_info_topic(bag, image_topic)
    try:
        return camera_from_info(bag.decode(next(bag.messages([topic]))))
    except InputError as error:
        raise InputError(f"{bag.path}: {topic}: {error}") from None


def camera_info_topic(bag: BagReader, image_topic: str) -> str:
    """The topic of the intrinsics for an image topic.

    Raises:
        InputError: none, or several of which none lies in the images' namespace.
    """
    namespace = image_topic.removesuffix(COMPRESSED_SUFFIX).rsplit("/", 1)[0]
    topics = [topic for topic, kind in bag.topics.items() if kind == CAMERA_INFO_TYPE]
    if f"{namespace}/camera_info" in topics:
        return f"{namespace}/camera_info"
    if len(topics) == 1:
        return topics[0]
    there = f"none of {', '.join(topics)}" if topics else "no camera_info in the bag"
    raise InputError(f"{bag.path}: {there} belongs to {image_topic}; give the intrinsics as a file")


def _index(bag: BagReader, topic: str) -> list[_IndexedImage]:
    images = []
    for message in bag.messages([topic]):
        decoded = bag.decode(message)
        # Drivers that do not stamp their images leave only the time of recording.
        stamp = stamp_of(decoded) or message.time
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


def _depth_reader(
    bag: BagReader, stamp: int, depths: Sequence[_IndexedImage]
) -> Callable[[], DepthImage] | None:
    if not depths:
        return None
    nearest = min(depths, key=lambda depth: abs(depth.stamp - stamp))
    if abs(nearest.stamp - stamp) > DEFAULT_TOLERANCE:
        return None
    return partial(_load, bag, nearest, _decode_depth)


def _decode_image(message: Any) -> RgbImage:
    if message.__msgtype__ == COMPRESSED_TYPE:
        return decode_compressed(message.data)
    return decode_raw(message)


def _decode_depth(message: Any) -> DepthImage:
    if message.__msgtype__ == COMPRESSED_TYPE:
        return decode_compressed_depth(message.format, message.data)
    return decode_depth(message)


def _holds_depth(bag: BagReader, topic: str) -> bool:
    message = bag.decode(next(bag.messages([topic])))
    if message.__msgtype__ == COMPRESSED_TYPE:
        return "compressedDepth" in message.format or message.format.startswith("16UC1")
    # mono16 may be either; as the only image of a bag it is a camera's.
    return message.encoding in DEPTH_ENCODINGS and message.encoding != "mono16"
