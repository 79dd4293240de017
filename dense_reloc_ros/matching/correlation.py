"""Sparse-to-dense matching: each map descriptor against every pixel of the query (thesis 3.4.3)."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from dense_reloc_ros.features.extractor import FeatureLevel

LEAST_MAP_SHARE = 0.4
"""Of the map's correlation where that with the previous frame is mixed in: α = min(s + 0.4, 1) for
the confidence s of the single frame (DSM 3.3.3)."""
BYTES_PER_CELL = 12
"""Correlation, its softmax and one temporary, in float32."""


def correlate(descriptors: Tensor, level: FeatureLevel, image: int = 0) -> Tensor:
    """Dot products (M, h, w) of descriptors (M, C) with all cells of one image's level."""
    values = level.values[image]
    return (descriptors.to(values) @ values.flatten(1)).unflatten(1, values.shape[1:])


def log_correspondence_maps(correlation: Tensor, temperature: float) -> Tensor:
    """ln of correspondence maps (M, h, w): softmax of correlation / temperature (thesis 4.2)."""
    flat = correlation.flatten(1) / temperature
    return torch.log_softmax(flat, dim=1).view_as(correlation)


def chunks(count: int, cells: int, memory_limit: int) -> Iterator[slice]:
    """Slices of `count` points so that maps of `cells` cells each stay below the limit in bytes."""
    size = max(1, memory_limit // (BYTES_PER_CELL * cells))
    for begin in range(0, count, size):
        yield slice(begin, min(begin + size, count))


def match_all(
    descriptors: Tensor, level: FeatureLevel, temperature: float, memory_limit: int = 1 << 28
) -> Tensor:
    """Log correspondence maps (M, h, w) of descriptors (M, C), computed in chunks.

    `memory_limit` in bytes bounds what is needed besides the result.
    """
    height, width = level.values.shape[-2:]
    result = level.values.new_empty(len(descriptors), height, width)
    for chunk in chunks(len(descriptors), height * width, memory_limit):
        result[chunk] = log_correspondence_maps(correlate(descriptors[chunk], level), temperature)
    return result
