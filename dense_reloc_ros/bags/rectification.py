"""Whether the images of a bag are rectified: by their topic's name, or by a twin topic's pixels."""

from __future__ import annotations

import logging
import math

import cv2
import numpy as np

from dense_reloc_ros.bags.bag_reader import BagMessage, BagReader, stamp_of
from dense_reloc_ros.bags.cameras import IMAGE_TYPES, camera_info_topic, decode_image, read_info
from dense_reloc_ros.bags.topics import COMPRESSED_SUFFIX
from dense_reloc_ros.errors import InputError
from dense_reloc_ros.geometry.arrays import FloatArray
from dense_reloc_ros.geometry.camera import Camera
from dense_reloc_ros.geometry.camera_info import (
    CameraInfoFields,
    camera_from_info,
    named_rectified,
    rectification_matters,
    rectified_matrix,
)

logger = logging.getLogger(__name__)

TWIN_MESSAGES = 30
"""Images of a topic among which a pair with those of its twin is looked for."""
RAW = "raw"


def is_rectified(bag: BagReader, image_topic: str, given: bool | None = None) -> bool:
    """Whether the images of a topic are rectified, so that P describes them instead of K and D.

    `given` is what the user says. Otherwise the name of the topic says so, or else the pixels of
    another topic in its namespace that were taken at the same time. What is taken is logged where
    it makes a difference.

    Raises:
        InputError: images or intrinsics that cannot be read.
    """
    try:
        info = read_info(bag, camera_info_topic(bag, image_topic))
    except InputError:
        return bool(given) or (given is None and named_rectified(image_topic))
    if not rectification_matters(info):
        return bool(given)
    taken, why = _judged(bag, image_topic, info) if given is None else (given, "as asked for")
    if taken:
        matrix = "P" if np.any(info.p) else "K without D, because P is zero"
        logger.info("%s: rectified images (%s): %s is taken", image_topic, why, matrix)
    else:
        logger.info("%s: raw images (%s): K and D are taken", image_topic, why)
    return taken


def _judged(bag: BagReader, image_topic: str, info: CameraInfoFields) -> tuple[bool, str]:
    """Whether images are rectified, and why that is thought."""
    if named_rectified(image_topic):
        return True, "by the name of the topic"
    last = image_topic.removesuffix(COMPRESSED_SUFFIX).rsplit("/", 1)[-1]
    if RAW in last.split("_"):
        return False, "by the name of the topic"
    for twin in _twins(bag, image_topic):
        found = _compared(bag, image_topic, twin, info)
        if found is not None:
            return found, f"by comparison with {twin}"
    return False, "nothing says otherwise"


def _twins(bag: BagReader, image_topic: str) -> list[str]:
    """Other images in the namespace of a topic whose names say whether they are rectified."""
    namespace, last = image_topic.removesuffix(COMPRESSED_SUFFIX).rsplit("/", 1)
    others = []
    for topic, kind in bag.topics.items():
        beside, name = topic.removesuffix(COMPRESSED_SUFFIX).rsplit("/", 1)
        is_telling = named_rectified(name) or RAW in name.split("_")
        if kind in IMAGE_TYPES and beside == namespace and name != last and is_telling:
            others.append(topic)
    return others


def _compared(bag: BagReader, topic: str, twin: str, info: CameraInfoFields) -> bool | None:
    """Whether the images of a topic are rectified by those of its twin; None: they do not say."""
    pair = _same_time(bag, topic, twin)
    if pair is None:
        return None
    try:
        image, other = (_grey(bag, message) for message in pair)
    except InputError:
        return None
    if image.shape != other.shape or image.shape != (info.height, info.width):
        return None
    raw_camera = camera_from_info(info)
    as_it_is = _difference(image, other)
    if named_rectified(twin):
        return as_it_is < _difference(_rectify(image, raw_camera, info), other)
    return _difference(image, _rectify(other, raw_camera, info)) < as_it_is


def _same_time(bag: BagReader, topic: str, twin: str) -> tuple[BagMessage, BagMessage] | None:
    seen: dict[str, dict[int, BagMessage]] = {topic: {}, twin: {}}
    for message, decoded in bag.decoded([topic, twin]):
        stamp = stamp_of(decoded)
        seen[message.topic][stamp] = message
        other = seen[twin if message.topic == topic else topic].get(stamp)
        if other is not None:
            return (message, other) if message.topic == topic else (other, message)
        if min(map(len, seen.values())) >= TWIN_MESSAGES:
            break
    return None


def _grey(bag: BagReader, message: BagMessage) -> FloatArray:
    image = decode_image(bag.decode(message))
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), dtype=np.float64)


def _rectify(image: FloatArray, camera: Camera, info: CameraInfoFields) -> FloatArray:
    """A raw image as image_proc would rectify it; nan where nothing is seen."""
    k, d, size = camera.matrix, np.array(camera.distortion), (camera.width, camera.height)
    R = np.reshape(camera.rectification or np.eye(3), (3, 3))
    is_fisheye = camera.distortion and camera.distortion_model == "equidistant"
    map_x, map_y = (cv2.fisheye if is_fisheye else cv2).initUndistortRectifyMap(
        k, d, R, rectified_matrix(info), size, cv2.CV_32FC1
    )
    rectified = cv2.remap(
        image, map_x, map_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=math.nan
    )
    return np.asarray(rectified, dtype=np.float64)


def _difference(image: FloatArray, other: FloatArray) -> float:
    return float(np.nanmean(np.abs(image - other)))
