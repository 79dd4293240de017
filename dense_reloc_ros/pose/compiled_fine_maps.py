"""High-resolution loss maps on a processor, compiled: the same as `fine_maps`, in one pass.

Nothing but the windows themselves is written to memory: gathered descriptors of all their cells
would be a hundred times as much.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dense_reloc_ros.compiled_code import compiled
from dense_reloc_ros.geometry.arrays import Float32Array
from dense_reloc_ros.geometry.torch_operation import torch_operation


@torch_operation(
    "(Tensor features, Tensor sizes, Tensor index, Tensor descriptors, Tensor origins, "
    "int size, float temperature, float stride, float offset, Tensor log_coarse, "
    "float coarse_stride, float coarse_offset, float smallest_mass) -> Tensor",
)
def window_gains(
    features: Tensor,
    sizes: Tensor,
    index: Tensor,
    descriptors: Tensor,
    origins: Tensor,
    size: int,
    temperature: float,
    stride: float,
    offset: float,
    log_coarse: Tensor,
    coarse_stride: float,
    coarse_offset: float,
    smallest_mass: float,
) -> Tensor:
    """What each cell of windows (M, size, size) gains over an outlier (eq. 4.7).

    Args:
        features: (C, h, w, D) of the fine level of all images.
        sizes: (C, 2) int64, columns and rows of these.
        index: (M,) int64, the image that each point is looked for in.
        descriptors: (M, D).
        origins: (M, 2) int64, column and row of the first cell of each window.
        size: cells of a window each way.
        temperature: of the softmax over a window.
        stride: the size of a cell, in pixels.
        offset: the place of the centre of the grid's first cell, in pixels.
        log_coarse: log correspondence maps (M, H, W) on the whole image.
        coarse_stride: as `stride`, of these maps.
        coarse_offset: as `offset`, of these maps.
        smallest_mass: what a window has at least of the probability.
    """
    gains = _window_gains(
        features.contiguous().numpy(),
        sizes.numpy(),
        index.numpy(),
        descriptors.contiguous().numpy(),
        origins.contiguous().numpy(),
        size,
        temperature,
        (stride, offset),
        log_coarse.contiguous().numpy(),
        (coarse_stride, coarse_offset),
        smallest_mass,
    )
    return torch.from_numpy(gains)


@compiled
def _window_gains(
    features: Float32Array,
    sizes: NDArray[np.int64],
    index: NDArray[np.int64],
    descriptors: Float32Array,
    origins: NDArray[np.int64],
    size: int,
    temperature: float,
    grid: tuple[float, float],
    log_coarse: Float32Array,
    coarse_grid: tuple[float, float],
    smallest_mass: float,
) -> Float32Array:
    channels = features.shape[3]
    gains = np.zeros((len(descriptors), size, size), np.float32)
    for n in range(len(descriptors)):
        column, row = origins[n]
        width, height = sizes[index[n]]
        outlier_loss = math.log(1 + height * width)
        left, right = max(0, -column), min(size, width - column)
        top, bottom = max(0, -row), min(size, height - row)
        if left >= right or top >= bottom:
            continue
        window, descriptor = gains[n], descriptors[n]
        highest = np.float32(-np.inf)
        for j in range(top, bottom):
            for i in range(left, right):
                cell = features[index[n], row + j, column + i]
                likeness = np.float32(0.0)
                for c in range(channels):
                    likeness += cell[c] * descriptor[c]
                window[j, i] = likeness / temperature
                highest = max(highest, window[j, i])
        total = 0.0
        for j in range(top, bottom):
            for i in range(left, right):
                total += math.exp(window[j, i] - highest)
        mass = _mass(log_coarse[n], coarse_grid, grid, column, row, size)
        shift = outlier_loss + math.log(max(mass, smallest_mass)) - highest - math.log(total)
        for j in range(top, bottom):
            for i in range(left, right):
                window[j, i] = max(np.float32(0.0), window[j, i] + np.float32(shift))
    return gains


@compiled
def _mass(log_coarse, coarse_grid, grid, column, row, size):  # type: ignore[no-untyped-def]
    """The probability that a coarse map (H, W) gives to a window (thesis 4.4.3, step 3)."""
    height, width = log_coarse.shape
    stride, offset = coarse_grid
    left = (grid[0] * (column - 0.5) + grid[1] - offset) / stride + 0.5
    top = (grid[0] * (row - 0.5) + grid[1] - offset) / stride + 0.5
    right, bottom = left + size * grid[0] / stride, top + size * grid[0] / stride
    mass = 0.0
    for j in range(max(0, math.floor(top)), min(height, math.ceil(bottom))):
        in_row = min(bottom, j + 1.0) - max(top, float(j))
        for i in range(max(0, math.floor(left)), min(width, math.ceil(right))):
            share = in_row * (min(right, i + 1.0) - max(left, float(i)))
            mass += share * math.exp(log_coarse[j, i])
    return mass
