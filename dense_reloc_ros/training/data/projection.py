"""Points seen by pinhole cameras, in numpy."""

from __future__ import annotations

import numpy as np

from dense_reloc_ros.geometry.arrays import FloatArray
from dense_reloc_ros.geometry.camera import Camera


def transformed(T_a_b: FloatArray, points: FloatArray) -> FloatArray:
    """Points (N, 3) in b as points in a."""
    return np.asarray(points @ T_a_b[:3, :3].T + T_a_b[:3, 3])


def project(points: FloatArray, camera: Camera) -> FloatArray:
    """Pixels (N, 2) of points (N, 3) in front of a pinhole camera."""
    return np.asarray(points[:, :2] / points[:, 2:] * (camera.fx, camera.fy) + _centre(camera))


def lift(pixels: FloatArray, depth: FloatArray, camera: Camera) -> FloatArray:
    """Points (N, 3) at pixels (N, 2) with a depth (N,)."""
    rays = (pixels - _centre(camera)) / (camera.fx, camera.fy)
    return np.column_stack([rays * depth[:, None], depth])


def intrinsics(camera: Camera) -> FloatArray:
    """(4,) fx, fy, cx, cy."""
    return np.array([camera.fx, camera.fy, camera.cx, camera.cy])


def _centre(camera: Camera) -> tuple[float, float]:
    return camera.cx, camera.cy
