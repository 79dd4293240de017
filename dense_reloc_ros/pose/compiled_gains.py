"""What poses gain on loss maps, on a processor, compiled: `project` and `LossMaps.gains_at` in one.

Thousands of poses are compared on all maps; as tensors, their projections alone fill the caches.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from numba import njit
from numpy.typing import NDArray
from torch import Tensor

from dense_reloc_ros.geometry.arrays import FloatArray
from dense_reloc_ros.geometry.camera import MINIMUM_DEPTH
from dense_reloc_ros.geometry.compiled_projection import FAST, camera_arrays
from dense_reloc_ros.geometry.torch_operation import torch_operation

Floats = NDArray[np.float32]


@torch_operation(
    "(Tensor T_camera_map, Tensor points, Tensor intrinsics, Tensor? mountings, "
    "Tensor? index, Tensor gains, Tensor origins, float stride, float offset) -> Tensor",
)
def gains_of_poses(
    T_camera_map: Tensor,
    points: Tensor,
    intrinsics: Tensor,
    mountings: Tensor | None,
    index: Tensor | None,
    gains: Tensor,
    origins: Tensor,
    stride: float,
    offset: float,
) -> Tensor:
    """What each of M points gains (B, M) at poses (B, 4, 4), bilinearly between cells.

    The arguments are those of `compiled_gnc.refine_on_windows`.
    """
    found = _gains_of_poses(
        T_camera_map.double().numpy(),
        *camera_arrays(points, intrinsics, mountings, index),
        gains.float().contiguous().numpy(),
        origins.float().contiguous().numpy(),
        (stride, offset),
    )
    return torch.from_numpy(found)


@njit(cache=True, nogil=True, fastmath=FAST)
def _gains_of_poses(
    T_camera_map: FloatArray,
    points: FloatArray,
    intrinsics: FloatArray,
    mountings: FloatArray,
    index: NDArray[np.int64],
    gains: Floats,
    origins: Floats,
    grid: tuple[float, float],
) -> Floats:
    _, height, width = gains.shape
    cell_of = _projections(T_camera_map, intrinsics, mountings, grid)
    found = np.zeros((len(T_camera_map), len(points)), np.float32)
    for n in range(len(points)):
        x, y, z = points[n]
        window = gains[n]
        for b in range(len(T_camera_map)):
            P = cell_of[b, index[n]]
            depth = P[2, 0] * x + P[2, 1] * y + P[2, 2] * z + P[2, 3]
            if not depth > MINIMUM_DEPTH:
                continue
            nearer = 1 / depth
            column = (P[0, 0] * x + P[0, 1] * y + P[0, 2] * z + P[0, 3]) * nearer - origins[n, 0]
            row = (P[1, 0] * x + P[1, 1] * y + P[1, 2] * z + P[1, 3]) * nearer - origins[n, 1]
            if -1 < column < width and -1 < row < height:
                found[b, n] = _between_cells(window, column, row)
    return found


@njit(cache=True, nogil=True, fastmath=FAST)
def _projections(T_camera_map, intrinsics, mountings, grid):  # type: ignore[no-untyped-def]
    """The matrices (B, C, 3, 4) from points to cells of the grid, homogeneous."""
    result = np.zeros((len(T_camera_map), len(mountings), 3, 4))
    stride, offset = grid
    for b in range(len(T_camera_map)):
        for c in range(len(mountings)):
            fx, fy, cx, cy = intrinsics[c]
            for k in range(4):
                for i in range(4):
                    moved = T_camera_map[b, i, k]
                    result[b, c, 2, k] += mountings[c, 2, i] * moved
                    result[b, c, 0, k] += fx / stride * mountings[c, 0, i] * moved
                    result[b, c, 1, k] += fy / stride * mountings[c, 1, i] * moved
                result[b, c, 0, k] += (cx - offset) / stride * result[b, c, 2, k]
                result[b, c, 1, k] += (cy - offset) / stride * result[b, c, 2, k]
    return result


@njit(cache=True, nogil=True, fastmath=FAST)
def _between_cells(window, column, row):  # type: ignore[no-untyped-def]
    """The value between the cells of a map (h, w), which is 0 outside of it."""
    height, width = window.shape
    left, top = math.floor(column), math.floor(row)
    right, down = np.float32(column - left), np.float32(row - top)
    value = np.float32(0.0)
    for j in range(2):
        if 0 <= top + j < height:
            in_row = down if j else 1 - down
            for i in range(2):
                if 0 <= left + i < width:
                    value += in_row * (right if i else 1 - right) * window[top + j, left + i]
    return value
