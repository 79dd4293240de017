"""The camera of a sensor_msgs/CameraInfo, whoever decoded it (rclpy or rosbags)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

import numpy as np

from dense_reloc_ros.errors import InputError
from dense_reloc_ros.geometry.camera import Camera


class RegionOfInterest(Protocol):
    """The fields of sensor_msgs/RegionOfInterest that matter."""

    x_offset: int
    y_offset: int
    width: int
    height: int


class CameraInfoFields(Protocol):
    """The fields of sensor_msgs/CameraInfo that matter."""

    width: int
    height: int
    distortion_model: str
    d: Sequence[float]
    k: Sequence[float]
    binning_x: int
    binning_y: int
    roi: RegionOfInterest


def camera_from_info(info: CameraInfoFields) -> Camera:
    """The camera whose images are published: K cut to the region of interest, then binned.

    Raises:
        InputError: an uncalibrated camera (K of zeros), or what `Camera` refuses.
    """
    if not np.any(info.k):
        raise InputError("camera_info is that of an uncalibrated camera: K is zero")
    camera = Camera.from_matrix(info.width, info.height, info.k, info.distortion_model, info.d)
    return _binned(_cut(camera, info), info)


def _cut(camera: Camera, info: CameraInfoFields) -> Camera:
    """The camera of the region of interest, which is the whole image where it is all zero."""
    roi = info.roi
    if roi.width == 0 or roi.height == 0:
        return camera
    return camera.cut(roi.x_offset, roi.y_offset, roi.width, roi.height)


def _binned(camera: Camera, info: CameraInfoFields) -> Camera:
    """The camera after binning, where 0 means none as 1 does; pixels that fill no bin are lost."""
    x, y = max(info.binning_x, 1), max(info.binning_y, 1)
    if x == y == 1:
        return camera
    columns, rows = camera.width // x, camera.height // y
    return replace(camera, width=columns * x, height=rows * y).scaled(columns, rows)
