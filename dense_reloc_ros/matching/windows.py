"""Local high-resolution correspondence maps around predicted pixels (thesis 4.4.3, step 2)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from dense_reloc_ros.features.extractor import FeatureLevel
from dense_reloc_ros.matching.correlation import chunks


@dataclass(frozen=True)
class Windows:
    """Square windows of a level's grid: ln C (M, size, size), from cells `origins` (M, 2) on.

    Cells outside of the image are -inf; a window wholly outside is -inf everywhere.
    """

    log_maps: Tensor
    origins: Tensor


def local_log_maps(
    descriptors: Tensor,
    level: FeatureLevel,
    centres: Tensor,
    size: int,
    temperature: float,
    memory_limit: int = 1 << 28,
) -> Windows:
    """Log correspondence maps of descriptors (M, C) in windows around pixels (M, 2).

    Each sums to one over its window (thesis 4.4.3, step 2b). Pixels may be nan (behind the
    camera). `memory_limit` in bytes bounds the gathered descriptors.
    """
    features = level.values[0].permute(1, 2, 0)
    height, width, channels = features.shape
    features = features.reshape(height * width, channels)
    origins = level.pixels_to_cells(centres).nan_to_num(-4.0 * size)
    origins = origins.clamp(-4.0 * size, 4.0 * (height + width)).round().long() - size // 2
    steps = torch.arange(size, device=features.device)
    columns, rows = origins[:, :1] + steps, origins[:, 1:] + steps
    in_columns = (columns >= 0) & (columns < width)
    in_rows = (rows >= 0) & (rows < height)
    inside = in_rows[:, :, None] & in_columns[:, None, :]
    index = rows.clamp(0, height - 1)[:, :, None] * width + columns.clamp(0, width - 1)[:, None]
    correlation = features.new_empty(len(descriptors), size * size)
    for chunk in chunks(len(descriptors), size * size * channels, memory_limit):
        gathered = features[index[chunk].flatten(1)]
        correlation[chunk] = (gathered @ descriptors[chunk].to(features)[..., None])[..., 0]
    correlation = correlation.masked_fill(~inside.flatten(1), -torch.inf)
    log_maps = torch.log_softmax(correlation / temperature, dim=1)
    log_maps = log_maps.nan_to_num(nan=-torch.inf, neginf=-torch.inf).unflatten(1, (size, size))
    return Windows(log_maps, origins)
