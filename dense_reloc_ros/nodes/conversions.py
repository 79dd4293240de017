"""Between ROS messages and the arrays and cameras of the library."""

from __future__ import annotations

from copy import copy

import numpy as np
from builtin_interfaces.msg import Time as TimeMessage
from geometry_msgs.msg import Pose, PoseWithCovariance, Transform
from numpy.typing import NDArray
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from dense_reloc_ros.geometry.arrays import FloatArray
from dense_reloc_ros.geometry.camera_info import is_calibrated, rectified_matrix
from dense_reloc_ros.images.encodings import decode_compressed
from dense_reloc_ros.nodes.ros_libraries import installed_libraries
from dense_reloc_ros.stamps import NANOSECONDS

LIBRARIES = installed_libraries()


def nanoseconds(stamp: TimeMessage) -> int:
    """A stamp as nanoseconds since the epoch."""
    return int(stamp.sec) * NANOSECONDS + int(stamp.nanosec)


def time_message(stamp: int) -> TimeMessage:
    """Nanoseconds since the epoch as a stamp."""
    return TimeMessage(sec=stamp // NANOSECONDS, nanosec=stamp % NANOSECONDS)


def image_from_message(message: Image | CompressedImage) -> NDArray[np.uint8]:
    """The RGB image (H, W, 3) in a message.

    Raises:
        InputError: an empty image, an unknown encoding, or data that contradict their size.
    """
    if isinstance(message, CompressedImage):
        return decode_compressed(message.data)
    image = LIBRARIES.decode(message)
    return np.require(image, requirements="W")  # torch warns of arrays that it must not write to


def info_of_rectified(message: CameraInfo) -> CameraInfo:
    """The camera_info whose K describes the rectified images of a camera, without distortion."""
    if not is_calibrated(message):
        return message
    result = copy(message)
    result.k = rectified_matrix(message).ravel()
    result.d, result.r = [], np.eye(3).ravel()
    return result


def image_to_message(image: NDArray[np.uint8]) -> Image:
    """An RGB image (H, W, 3) as an rgb8 message without header."""
    return LIBRARIES.encode(image)


def pose_from_message(message: Pose) -> FloatArray:
    """A pose (4, 4); raises InputError where it is not finite or its quaternion is zero."""
    p, q = message.position, message.orientation
    return LIBRARIES.pose(np.array([p.x, p.y, p.z]), np.array([q.x, q.y, q.z, q.w]))


def pose_to_message(pose: FloatArray, covariance: FloatArray) -> PoseWithCovariance:
    """A pose (4, 4) and its covariance (6, 6) in ROS order."""
    message = PoseWithCovariance()
    position, orientation = message.pose.position, message.pose.orientation
    position.x, position.y, position.z = map(float, pose[:3, 3])
    quaternion = map(float, LIBRARIES.quaternion(pose))
    orientation.x, orientation.y, orientation.z, orientation.w = quaternion
    message.covariance = np.asarray(covariance, dtype=np.float64).reshape(36)
    return message


def pose_from_transform(message: Transform) -> FloatArray:
    """A transform (4, 4); raises InputError where it is not finite or its quaternion is zero."""
    t, q = message.translation, message.rotation
    return LIBRARIES.pose(np.array([t.x, t.y, t.z]), np.array([q.x, q.y, q.z, q.w]))


def transform_to_message(pose: FloatArray) -> Transform:
    """A transform (4, 4) as a message."""
    message = Transform()
    t, q = message.translation, message.rotation
    t.x, t.y, t.z = map(float, pose[:3, 3])
    q.x, q.y, q.z, q.w = map(float, LIBRARIES.quaternion(pose))
    return message
