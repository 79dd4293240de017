"""Hypercolumns: layers of several depths brought to one grid and stacked (thesis 3.4.3)."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import normalize

from dense_reloc_ros.features.precision import at_least_single


class Layer(NamedTuple):
    """Network output (B, C, h, w); the centre of cell i lies at pixel stride * i + offset."""

    values: Tensor
    stride: int
    offset: float


def hypercolumn(layers: list[Layer], stride: int, offset: float, height: int, width: int) -> Tensor:
    """The stacked layers (B, C, height // stride, width // stride), L2-normalized per cell.

    Each layer is centred per channel over the image (what all places share says nothing about any
    of them), L2-normalized, so that all layers weigh the same, and interpolated bilinearly at the
    cells' true centres: networks shift their grids by their padding.
    """
    parts = []
    for layer in layers:
        values = at_least_single(layer.values)
        centred = values - values.mean((2, 3), keepdim=True)
        layer = layer._replace(values=normalize(centred, dim=1))
        parts.append(resample(layer, stride, offset, height // stride, width // stride))
    return normalize(torch.cat(parts, dim=1), dim=1)


def resample(layer: Layer, stride: int, offset: float, rows: int, columns: int) -> Tensor:
    """A layer, interpolated bilinearly, on another grid (B, C, rows, columns)."""
    values = at_least_single(layer.values).contiguous()
    height, width = values.shape[-2:]
    vertical = interpolation_matrix(rows, stride, offset, height, layer.stride, layer.offset)
    horizontal = interpolation_matrix(columns, stride, offset, width, layer.stride, layer.offset)
    with torch.autocast(values.device.type, enabled=False):
        return vertical.to(values) @ values @ horizontal.to(values).T


def interpolation_matrix(
    target_count: int,
    target_stride: int,
    target_offset: float,
    source_count: int,
    source_stride: int,
    source_offset: float,
) -> Tensor:
    """Linear interpolation (target_count, source_count) between two grids of one axis."""
    pixels = torch.arange(target_count, dtype=torch.float64) * target_stride + target_offset
    position = ((pixels - source_offset) / source_stride).clamp(0, source_count - 1)
    low = position.floor().long().clamp(max=max(source_count - 2, 0))
    high = (low + 1).clamp(max=source_count - 1)
    row = torch.arange(target_count)
    matrix = torch.zeros(target_count, source_count, dtype=torch.float64)
    matrix[row, low] += 1 - (position - low)
    matrix[row, high] += position - low
    return matrix
