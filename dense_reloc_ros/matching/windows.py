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


def window_origins(level: FeatureLevel, centres: Tensor, size: int) -> Tensor:
    """The first cells (M, 2) int64, column and row, of windows around pixels (M, 2).

    Where a pixel is nan the window is outside of the image.
    """
    furthest = 4.0 * sum(level.values.shape[-2:])
    cells = level.pixels_to_cells(centres).nan_to_num(-4.0 * size)
    return cells.clamp(-4.0 * size, furthest).round().long() - size // 2


def local_log_maps(
    descriptors: Tensor,
    level: FeatureLevel,
    centres: Tensor,
    size: int,
    temperature: float,
    memory_limit: int = 1 << 28,
    image: Tensor | None = None,
) -> Windows:
    """Log correspondence maps of descriptors (M, C) in windows around pixels (M, 2).

    Each sums to one over its window (thesis 4.4.3, step 2b). Pixels may be nan (behind the
    camera). `memory_limit` in bytes bounds the gathered descriptors. `image` (M,) tells in which of
    the level's images each point is looked for; None: all in the first.
    """
    channels, height, width = level.values.shape[1:]
    values = level.values[:1] if image is None else level.values
    features = values.permute(0, 2, 3, 1).reshape(-1, channels)
    origins = window_origins(level, centres, size)
    steps = torch.arange(size, device=features.device)
    columns, rows = origins[:, :1] + steps, origins[:, 1:] + steps
    column_count, row_count = level.size(image)[..., None].unbind(-2)
    in_columns = (columns >= 0) & (columns < column_count)
    in_rows = (rows >= 0) & (rows < row_count)
    inside = in_rows[:, :, None] & in_columns[:, None, :]
    index = rows.clamp(0, height - 1)[:, :, None] * width + columns.clamp(0, width - 1)[:, None]
    if image is not None:
        index += image[:, None, None] * (height * width)
    correlation = features.new_empty(len(descriptors), size * size)
    for chunk in chunks(len(descriptors), size * size * channels, memory_limit):
        gathered = features[index[chunk].flatten(1)]
        correlation[chunk] = (gathered @ descriptors[chunk].to(features)[..., None])[..., 0]
    correlation = correlation.masked_fill(~inside.flatten(1), -torch.inf)
    log_maps = torch.log_softmax(correlation / temperature, dim=1)
    log_maps = log_maps.nan_to_num(nan=-torch.inf, neginf=-torch.inf).unflatten(1, (size, size))
    return Windows(log_maps, origins)
