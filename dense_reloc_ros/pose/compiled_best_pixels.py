"""The best pixel of each loss map on a processor, compiled: `LossMaps.best_pixels` in one pass."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from dense_reloc_ros.compiled_code import compiled
from dense_reloc_ros.geometry.arrays import Float32Array
from dense_reloc_ros.geometry.torch_operation import torch_operation


@torch_operation("(Tensor gains, Tensor origins, float stride, float offset) -> Tensor")
def best_pixels_of_windows(gains: Tensor, origins: Tensor, stride: float, offset: float) -> Tensor:
    """Column and row in pixels, and the gain there, (M, 3); nan where a map gains nothing.

    Args:
        gains: (M, h, w) float32 of the points' windows.
        origins: (M, 2), the column and row of the first cell of each window.
        stride: the size of a cell, in pixels.
        offset: the place of the centre of the grid's first cell, in pixels.
    """
    found = _best_cells(gains.contiguous().numpy())
    pixels = (found[:, :2] + origins.float().numpy()) * np.float32(stride) + np.float32(offset)
    found[:, :2] = np.where(found[:, 2:] > 0, pixels, np.float32(np.nan))
    return torch.from_numpy(found)


@compiled
def _best_cells(gains: Float32Array) -> Float32Array:
    count, height, width = gains.shape
    found = np.zeros((count, 3), np.float32)
    for n in range(count):
        window = gains[n]
        best, row, column = window[0, 0], 0, 0
        for j in range(height):
            for i in range(width):
                if window[j, i] > best:
                    best, row, column = window[j, i], j, i
        found[n, 0], found[n, 1], found[n, 2] = column, row, best
        if 0 < column < width - 1:
            found[n, 0] += _peak(window[row, column - 1], best, window[row, column + 1])
        if 0 < row < height - 1:
            found[n, 1] += _peak(window[row - 1, column], best, window[row + 1, column])
    return found


@compiled
def _peak(low, best, high):  # type: ignore[no-untyped-def]
    """Where a parabola through three neighbours has its peak, from the middle one on."""
    curvature = max(2 * best - low - high, np.float32(1e-6))
    return min(max(np.float32(0.5) * (high - low) / curvature, np.float32(-0.5)), np.float32(0.5))
