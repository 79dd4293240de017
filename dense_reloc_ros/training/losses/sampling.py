"""The points of a batch that a loss counts, and features at them: differentiable, any batch size.

Points of all images lie in one row (V,), image by image; `image` (V,) says which is whose.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from dense_reloc_ros.errors import ConfigurationError
from dense_reloc_ros.features.extractor import DenseFeatures, FeatureLevel
from dense_reloc_ros.features.precision import at_least_single
from dense_reloc_ros.training.examples import PairBatch


class StepCounter(nn.Module):
    """Counts training batches; the count is part of the state dict, so that runs resume exactly."""

    count: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("count", torch.zeros((), dtype=torch.int64))

    def next(self) -> torch.Generator:
        """The random numbers of this batch, made on the CPU; counts it when training.

        In evaluation mode they are always those of batch 0, so that validations compare.
        """
        step = int(self.count) if self.training else 0
        if self.training:
            self.count += 1
        return torch.Generator().manual_seed(step)


def find_level(features: DenseFeatures, name: str) -> FeatureLevel:
    """The level of a name.

    Raises:
        ConfigurationError: the network has none; lists those that it has.
    """
    if name not in features.levels:
        known = ", ".join(features.levels)
        raise ConfigurationError(f"the network has no level '{name}' (it has: {known})")
    return features.levels[name]


def counted_points(batch: PairBatch, level: FeatureLevel) -> tuple[Tensor, Tensor]:
    """Images and numbers (V,) of the visible points that lie in a cell of the target's level.

    The border of an image may lie beyond the last whole cell; points there have no true cell.
    """
    height, width = level.values.shape[-2:]
    cells = level.pixels_to_cells(batch.target_pixels)
    inside = (cells >= -0.5) & (cells <= cells.new_tensor([width - 0.5, height - 0.5]))
    image, point = (batch.visible & inside.all(-1)).nonzero(as_tuple=True)
    return image, point


def at_most(
    limit: int, image: Tensor, point: Tensor, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """The same points, or `limit` drawn evenly from those of an image where it has more."""
    draw = torch.rand(len(image), generator=generator).to(image.device)
    order = (image + draw.double()).argsort()
    first = torch.searchsorted(image, image)  # of the point's image; they lie image by image
    rank = torch.empty_like(image)
    rank[order] = torch.arange(len(image), device=image.device)
    kept = rank - first < limit
    return image[kept], point[kept]


def corners(cells: Tensor, height: int, width: int) -> tuple[Tensor, Tensor]:
    """The four cells around fractional cells (..., 2) and their bilinear weights, each (..., 4).

    Cells are numbered row by row. What lies outside of the grid is moved to its border.
    """
    size = cells.new_tensor([width, height])
    cells = cells.clamp(min=0).minimum(size - 1)
    low = cells.floor().minimum(size - 2).clamp(min=0)
    x, y = (cells - low).unbind(-1)
    column, row = low.long().unbind(-1)
    right, below = (column + 1).clamp(max=width - 1), (row + 1).clamp(max=height - 1)
    index = torch.stack(
        [row * width + column, row * width + right, below * width + column, below * width + right],
        dim=-1,
    )
    return index, torch.stack([(1 - x) * (1 - y), x * (1 - y), (1 - x) * y, x * y], dim=-1)


def gather_cells(values: Tensor, image: Tensor, index: Tensor) -> Tensor:
    """Features (V, K, C) of cells `index` (V, K) of the images (V,) of `values` (B, C, h, w)."""
    return values.flatten(2)[image[:, None], :, index]


def sample_cells(values: Tensor, image: Tensor, cells: Tensor) -> Tensor:
    """Features (V, C) at fractional cells (V, 2): bilinear, in float32 or better."""
    index, weights = corners(cells, *values.shape[-2:])
    gathered = at_least_single(gather_cells(values, image, index))
    return (gathered * weights.to(gathered)[..., None]).sum(1)


def sample_descriptors(level: FeatureLevel, image: Tensor, pixels: Tensor) -> Tensor:
    """Descriptors (V, C) at pixels (V, 2): as `FeatureLevel.sample`, for points of many images."""
    return normalize(sample_cells(level.values, image, level.pixels_to_cells(pixels)), dim=-1)
