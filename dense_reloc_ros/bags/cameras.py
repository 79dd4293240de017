"""The cameras of a bag: their topics of images, and the camera_info that belongs to each."""

from __future__ import annotations

from typing import Any

from dense_reloc_ros.bags.bag_reader import BagReader
from dense_reloc_ros.bags.topics import COMPRESSED_SUFFIX
from dense_reloc_ros.errors import InputError
from dense_reloc_ros.geometry.arrays import RgbImage
from dense_reloc_ros.geometry.camera_info import CameraInfoFields, is_calibrated
from dense_reloc_ros.images.encodings import DEPTH_ENCODINGS, decode_compressed, decode_raw

RAW_TYPE = "sensor_msgs/msg/Image"
COMPRESSED_TYPE = "sensor_msgs/msg/CompressedImage"
IMAGE_TYPES = (RAW_TYPE, COMPRESSED_TYPE)
CAMERA_INFO_TYPE = "sensor_msgs/msg/CameraInfo"


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


def camera_info_topic(bag: BagReader, image_topic: str) -> str:
    """The topic of the intrinsics for an image topic.

    Raises:
        InputError: none, or several of which none lies in the images' namespace.
    """
    beside = info_topic_beside(image_topic.removesuffix(COMPRESSED_SUFFIX))
    topics = [topic for topic, kind in bag.topics.items() if kind == CAMERA_INFO_TYPE]
    if beside in topics:
        return beside
    if len(topics) == 1:
        return topics[0]
    there = f"none of {', '.join(topics)}" if topics else "no camera_info in the bag"
    raise InputError(f"{bag.path}: {there} belongs to {image_topic}; give the intrinsics as a file")


def info_topic_beside(image_topic: str) -> str:
    """The topic of camera_info that lies beside that of images, as image_transport has it."""
    return "/".join([*image_topic.rstrip("/").split("/")[:-1], "camera_info"])


def read_info(bag: BagReader, topic: str) -> CameraInfoFields:
    """The first calibrated camera_info on a topic: drivers begin before they have theirs.

    Where none is calibrated, it is the first one.
    """
    calibrated = (info for _, info in bag.decoded([topic]) if is_calibrated(info))
    info: CameraInfoFields = next(calibrated, None) or bag.first(topic)
    return info


def decode_image(message: Any) -> RgbImage:
    """The RGB image (H, W, 3) in a decoded message of one of `IMAGE_TYPES`.

    Raises:
        InputError: an image that cannot be used.
    """
    if message.__msgtype__ == COMPRESSED_TYPE:
        return decode_compressed(message.data)
    return decode_raw(message)


def _holds_depth(bag: BagReader, topic: str) -> bool:
    message = bag.first(topic)
    if message.__msgtype__ == COMPRESSED_TYPE:
        return "compressedDepth" in message.format or message.format.startswith("16UC1")
    # mono16 may be either; as the only image of a bag it is a camera's.
    return message.encoding in DEPTH_ENCODINGS and message.encoding != "mono16"
