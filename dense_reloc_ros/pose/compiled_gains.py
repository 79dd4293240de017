"""What poses gain on loss maps, on a processor, compiled: `project` and `LossMaps.gains_at` in one.

Thousands of poses are compared on all maps; as tensors, their projections alone fill the caches.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dense_reloc_ros.compiled_code import compiled
from dense_reloc_ros.geometry.arrays import Float32Array, FloatArray
from dense_reloc_ros.geometry.camera import MINIMUM_DEPTH
from dense_reloc_ros.geometry.compiled_projection import CAMERAS, camera_arrays
from dense_reloc_ros.geometry.torch_operation import torch_operation


@torch_operation(f"(Tensor T_camera_map, {CAMERAS}, Tensor gains, Tensor origins) -> Tensor")
def gains_of_poses(
    T_camera_map: Tensor,
    points: Tensor,
    intrinsics: Tensor,
    mountings: Tensor | None,
    index: Tensor | None,
    stride: float,
    offset: float,
    gains: Tensor,
    origins: Tensor,
) -> Tensor:
    """What each of M points gains (B, M) at poses (B, 4, 4), bilinearly between cells.

    The arguments are those of `compiled_gnc.refine_on_windows`.
    """
    cameras = camera_arrays(points, intrinsics, mountings, index, stride, offset)
    positions, in_cells, T_camera_body, camera_of = cameras
    K = np.zeros((len(in_cells), 3, 3))
    K[:, [0, 1], [0, 1]], K[:, :2, 2], K[:, 2, 2] = in_cells[:, :2], in_cells[:, 2:], 1.0
    found = _gains_of_poses(
        K @ T_camera_body[:, :3] @ T_camera_map.double().numpy()[:, None],
        positions,
        camera_of,
        gains.float().contiguous().numpy(),
        origins.float().contiguous().numpy(),
    )
    return torch.from_numpy(found)


@compiled
def _gains_of_poses(
    projections: FloatArray,
    points: FloatArray,
    index: NDArray[np.int64],
    gains: Float32Array,
    origins: Float32Array,
) -> Float32Array:
    """By matrices (B, C, 3, 4) from points to cells, homogeneous."""
    _, height, width = gains.shape
    found = np.zeros((len(projections), len(points)), np.float32)
    for n in range(len(points)):
        x, y, z = points[n]
        window = gains[n]
        for b in range(len(projections)):
            P = projections[b, index[n]]
            depth = P[2, 0] * x + P[2, 1] * y + P[2, 2] * z + P[2, 3]
            if not depth > MINIMUM_DEPTH:
                continue
            nearer = 1 / depth
            column = (P[0, 0] * x + P[0, 1] * y + P[0, 2] * z + P[0, 3]) * nearer - origins[n, 0]
            row = (P[1, 0] * x + P[1, 1] * y + P[1, 2] * z + P[1, 3]) * nearer - origins[n, 1]
            if -1 < column < width and -1 < row < height:
                found[b, n] = _between_cells(window, column, row)
    return found


@compiled
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
