"""S2DNet's loss: finding a point is a classification of the target's cells (thesis 3.5.2)."""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from dense_reloc_ros.features.extractor import DenseFeatures, FeatureLevel
from dense_reloc_ros.features.hypercolumn import interpolation_matrix
from dense_reloc_ros.features.precision import at_least_single
from dense_reloc_ros.matching.correlation import BYTES_PER_CELL, chunks
from dense_reloc_ros.parameter_blocks import Block
from dense_reloc_ros.training.examples import PairBatch
from dense_reloc_ros.training.losses.recomputation import call
from dense_reloc_ros.training.losses.sampling import (
    counted_points,
    find_level,
    sample_cells,
)
from dense_reloc_ros.training.losses.temperature import Temperature
from dense_reloc_ros.training.losses.value import LossValue


class S2DNetLossConfiguration(Block):
    """The cross-entropy of S2DNet."""

    name: Literal["s2dnet"] = "s2dnet"
    levels: tuple[str, ...] = Field(
        ("conv1_2", "conv3_3", "conv5_3"), min_length=1, description="Levels that are added"
    )
    temperature: float = Field(1.0, gt=0.0, description="Divides correlations before the softmax")
    learn_temperature: bool = Field(False, description="Start from it and learn its logarithm")
    memory_mb: int = Field(
        512, ge=1, description="Correlation maps that need more are recomputed for the gradient"
    )


class S2DNetLoss(nn.Module):
    """-ln p of the cell nearest to where the target shows a point (eq. 3.2).

    Each level is correlated by itself, the maps are upsampled bilinearly to the grid of the finest
    level and added (eq. 3.3). Features are taken as they are: those of S2DNet are not normalized,
    and their norms do what a temperature does; levels of unit length need one below 1.

    Upsampling and correlation are linear: what a map holds in the true cell is the correlation with
    the level's features interpolated there.
    """

    def __init__(self, configuration: S2DNetLossConfiguration) -> None:
        super().__init__()
        self.configuration = configuration
        self.temperature = Temperature(configuration.temperature, configuration.learn_temperature)

    def forward(self, source: DenseFeatures, target: DenseFeatures, batch: PairBatch) -> LossValue:
        """The mean over the visible points of the batch, in nats."""
        levels = {name: find_level(target, name) for name in self.configuration.levels}
        finest = min(levels.values(), key=lambda level: level.stride)
        image, point = counted_points(batch, finest)
        counts = torch.bincount(image, minlength=len(batch.visible)).tolist()
        nearest = finest.pixels_to_cells(batch.target_pixels[image, point]).round()
        label_pixels = finest.cells_to_pixels(nearest)
        temperature = self.temperature()
        with torch.autocast(batch.visible.device.type, enabled=False):
            descriptors, truth = {}, torch.zeros_like(label_pixels[:, 0])
            for name, level in levels.items():
                of_source = find_level(source, name)
                cells = of_source.pixels_to_cells(batch.source_pixels[image, point])
                found = sample_cells(of_source.values, image, cells) / temperature
                cells = level.pixels_to_cells(label_pixels)
                truth = truth + (found * sample_cells(level.values, image, cells)).sum(-1)
                descriptors[name] = found
            evidence = summed_evidence(
                descriptors, counts, levels, finest, self.configuration.memory_mb << 20
            )
            mean = (evidence - truth).sum() / max(len(truth), 1)
        parts = {"s2dnet": float(mean.detach())}
        if self.temperature.learned:
            parts["s2dnet/temperature"] = float(temperature.detach())
        return LossValue(mean, parts)


def summed_evidence(
    descriptors: Mapping[str, Tensor],
    counts: list[int],
    levels: Mapping[str, FeatureLevel],
    finest: FeatureLevel,
    memory_limit: int,
) -> Tensor:
    """ln Σ exp (V,) of the sum of all levels' correlation maps on the finest grid.

    The first counts[0] descriptors (V, C) of each level belong to the first image, and so on.
    """
    resize = [_resize(level, finest) for level in levels.values()]
    cells = finest.values.shape[2:].numel() * len(levels)
    recompute = sum(counts) * cells * BYTES_PER_CELL > memory_limit
    evidence, begin = [], 0
    for number, count in enumerate(counts):
        maps = [at_least_single(level.values[number]) for level in levels.values()]
        for chunk in chunks(count, cells, memory_limit):
            points = slice(begin + chunk.start, begin + chunk.stop)
            of_points = [of_level[points] for of_level in descriptors.values()]
            evidence.append(call(recompute, _log_sum, of_points, maps, resize))
        begin += count
    return torch.cat(evidence) if evidence else next(iter(descriptors.values())).sum(-1)


def _resize(level: FeatureLevel, finest: FeatureLevel) -> tuple[Tensor, Tensor] | None:
    """Interpolation of rows and columns from a level to the finest; none for the finest itself."""
    if level is finest:
        return None
    rows, columns = (
        interpolation_matrix(
            count, finest.stride, finest.offset, of, level.stride, level.offset
        ).to(at_least_single(level.values))
        for count, of in zip(finest.values.shape[-2:], level.values.shape[-2:], strict=True)
    )
    return rows, columns


def _log_sum(
    descriptors: list[Tensor], maps: list[Tensor], resize: list[tuple[Tensor, Tensor] | None]
) -> Tensor:
    """Of each level: descriptors (n, C), features (C, h, w) and how its maps are upsampled."""
    resized = []
    for of_points, values, matrices in zip(descriptors, maps, resize, strict=True):
        correlation = (of_points @ values.flatten(1)).view(-1, *values.shape[1:])
        if matrices is not None:
            correlation = matrices[0] @ correlation @ matrices[1].T
        resized.append(correlation.flatten(1))
    return torch.logsumexp(reduce(torch.add, resized), dim=1)
