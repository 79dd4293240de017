"""The camera of a sensor_msgs/CameraInfo, whoever decoded it (rclpy or rosbags)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

import numpy as np

from dense_reloc_ros.errors import InputError
from dense_reloc_ros.geometry.arrays import FloatArray
from dense_reloc_ros.geometry.camera import Camera

RECTIFIED_WORDS = {"rect", "rectified", "undistorted", "undistort"}
"""Words in the names of topics; image_proc publishes image_rect and image_rect_color."""


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
    binning_x: int
    binning_y: int

    @property
    def d(self) -> Sequence[float]: ...

    @property
    def k(self) -> Sequence[float]: ...

    @property
    def r(self) -> Sequence[float]: ...

    @property
    def p(self) -> Sequence[float]: ...

    @property
    def roi(self) -> RegionOfInterest: ...


def camera_from_info(info: CameraInfoFields, rectified: bool = False) -> Camera:
    """The camera whose images are published: cut to the region of interest, then binned.

    Raw images are described by K, D and R, `rectified` ones by P alone. Either way the camera's
    frame is the one that P projects from, as in image_geometry. Where P is zero, rectified images
    have the intrinsics K.

    Raises:
        InputError: an uncalibrated camera (K of zeros), or what `Camera` refuses.
    """
    if not is_calibrated(info):
        raise InputError("camera_info is that of an uncalibrated camera: K is zero")
    if rectified:
        camera = Camera.from_matrix(info.width, info.height, rectified_matrix(info))
    else:
        camera = Camera.from_matrix(
            info.width, info.height, info.k, info.distortion_model, info.d, info.r
        )
    return _binned(_cut(camera, info), info)


def is_calibrated(info: CameraInfoFields) -> bool:
    """Whether a camera_info says anything: drivers without a calibration send K of zeros."""
    return bool(np.any(info.k))


def rectified_matrix(info: CameraInfoFields) -> FloatArray:
    """The intrinsic matrix (3, 3) of rectified images: that in P, or K where P is zero."""
    projection = np.asarray(info.p, dtype=np.float64)
    if projection.size != 12 or not projection.any():
        return np.asarray(info.k, dtype=np.float64).reshape(3, 3)
    return projection.reshape(3, 4)[:, :3]


def rectification_matters(info: CameraInfoFields) -> bool:
    """Whether raw and rectified images of a camera differ at all."""
    R = np.asarray(info.r, dtype=np.float64)
    is_turned = R.any() and not np.allclose(R, np.eye(3).ravel())
    is_other = not np.allclose(rectified_matrix(info).ravel(), info.k)
    return bool(np.any(info.d) or is_turned or is_other)


def named_rectified(name: str) -> bool:
    """Whether the name of a topic or folder says that its images are rectified (`image_rect`)."""
    return not RECTIFIED_WORDS.isdisjoint(re.split(r"[^a-z]+", name.lower()))


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
