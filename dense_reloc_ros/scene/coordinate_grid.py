"""The grid of a coordinate map: equal cells over a keyframe's undistorted image (DSM, 3.2)."""

from __future__ import annotations

import numpy as np

from dense_reloc_ros.geometry.arrays import FloatArray
from dense_reloc_ros.geometry.camera import Camera
from dense_reloc_ros.geometry.se3 import transformed


def cell_pixels(camera: Camera, size: tuple[int, int]) -> FloatArray:
    """The centres (h, w, 2) of the cells in pixels of the camera's images."""
    rows, columns = size
    x = (np.arange(columns) + 0.5) * (camera.width / columns) - 0.5
    y = (np.arange(rows) + 0.5) * (camera.height / rows) - 0.5
    return np.stack(np.meshgrid(x, y), axis=-1)


def cell_points(depths: FloatArray, camera: Camera, T_map_camera: FloatArray) -> FloatArray:
    """The points (h, w, 3) in the map frame at depths (h, w) in the centres of the cells."""
    pixels = cell_pixels(camera, (depths.shape[0], depths.shape[1]))
    return transformed(T_map_camera, camera.lift(pixels, depths))
