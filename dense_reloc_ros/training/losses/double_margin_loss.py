"""The double-margin contrastive loss with progressive mining (Xue et al., 3.3)."""

from __future__ import annotations

import math
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from dense_reloc_ros.features.extractor import DenseFeatures, FeatureLevel
from dense_reloc_ros.features.precision import at_least_single
from dense_reloc_ros.features.s2dhm import LAYERS as S2DHM_LAYERS
from dense_reloc_ros.matching.correlation import chunks
from dense_reloc_ros.parameter_blocks import Block
from dense_reloc_ros.training.examples import PairBatch
from dense_reloc_ros.training.losses.sampling import (
    StepCounter,
    at_most,
    counted_points,
    find_level,
    gather_cells,
    sample_descriptors,
)
from dense_reloc_ros.training.losses.value import LossValue


class DoubleMarginLossConfiguration(Block):
    """The settings of Xue et al., 4.2; it names no distance α."""

    name: Literal["double_margin"] = "double_margin"
    levels: tuple[str, ...] = Field(
        S2DHM_LAYERS, min_length=1, description="Levels of unit length that it is summed over"
    )
    points: int = Field(1024, ge=1, description="Correspondences drawn from a pair at most")
    positive_margin: float = Field(0.1, ge=0.0, description="Distance of matches without a loss")
    negative_margin: float = Field(1.0, gt=0.0, description="Distance of mismatches without a loss")
    exclusion_px: float = Field(
        16.0, ge=0.0, description="Mismatches are farther than this from the truth (α)"
    )
    first_pool: int = Field(300, ge=1, description="Hardest mismatches drawn from at first")
    last_pool: int = Field(5, ge=1, description="Hardest mismatches drawn from in the end")
    pool_decay: float = Field(6e-5, ge=0.0, description="Rate at which the pool shrinks per step")
    memory_mb: int = Field(256, ge=1, description="Memory of the search for hard mismatches")


class DoubleMarginLoss(nn.Module):
    """Σ_l mean [D₊ - M₊]₊² + mean [M₋ - D₋]₊² over distances D of descriptors (eqs. 4-6).

    Each correspondence has one mismatch, drawn evenly from the M hardest cells of the target that
    are farther than α from the truth; M = max(5, 300 exp(-0.6 k / 10000)) in step k. The text sorts
    candidates "by loss in increasing order" and takes the first; as it goes on to call them the
    hardest, it is the distance that increases, and the loss falls.
    """

    def __init__(self, configuration: DoubleMarginLossConfiguration) -> None:
        super().__init__()
        self.configuration = configuration
        self.steps = StepCounter()

    @property
    def pool(self) -> int:
        """How many of the hardest cells a mismatch is drawn from in this step."""
        configuration = self.configuration
        shrunk = configuration.first_pool * math.exp(
            -configuration.pool_decay * int(self.steps.count)
        )
        return max(configuration.last_pool, int(shrunk))

    def forward(self, source: DenseFeatures, target: DenseFeatures, batch: PairBatch) -> LossValue:
        """The sum over the levels, with both terms apart in the parts."""
        pool, generator = self.pool, self.steps.next()
        positive = negative = batch.source_image.new_zeros(())
        with torch.autocast(batch.visible.device.type, enabled=False):
            for name in self.configuration.levels:
                level = find_level(target, name)
                matches, mismatches = self._distances(
                    find_level(source, name), level, batch, pool, generator
                )
                above = (matches - self.configuration.positive_margin).clamp(min=0)
                below = (self.configuration.negative_margin - mismatches).clamp(min=0)
                positive = positive + above.square().sum() / max(len(above), 1)
                negative = negative + below.square().sum() / max(len(below), 1)
        parts = {
            "double_margin/positive": float(positive.detach()),
            "double_margin/negative": float(negative.detach()),
        }
        return LossValue(positive + negative, parts)

    def _distances(
        self,
        source: FeatureLevel,
        target: FeatureLevel,
        batch: PairBatch,
        pool: int,
        generator: torch.Generator,
    ) -> tuple[Tensor, Tensor]:
        """Distances of descriptors of matches (V,) and of mismatches (U,), U <= V."""
        image, point = at_most(self.configuration.points, *counted_points(batch, target), generator)
        at_source = sample_descriptors(source, image, batch.source_pixels[image, point])
        pixels = batch.target_pixels[image, point]
        at_target = sample_descriptors(target, image, pixels)
        draw = torch.rand(len(image), generator=generator).to(pixels.device)
        cells, found = hard_cells(
            at_source.detach(),
            image,
            target,
            pixels,
            self.configuration.exclusion_px,
            pool,
            draw,
            self.configuration.memory_mb << 20,
        )
        elsewhere = at_least_single(gather_cells(target.values, image, cells[:, None]))[:, 0]
        distances = torch.linalg.vector_norm(at_source - elsewhere, dim=-1)
        return torch.linalg.vector_norm(at_source - at_target, dim=-1), distances[found]


@torch.no_grad()
def hard_cells(
    descriptors: Tensor,
    image: Tensor,
    level: FeatureLevel,
    pixels: Tensor,
    exclusion_px: float,
    pool: int,
    draw: Tensor,
    memory_limit: int,
) -> tuple[Tensor, Tensor]:
    """A cell (V,) for each descriptor (V, C): one of the `pool` likest ones away from its pixel.

    Likest means nearest: descriptors and features have unit length. `draw` (V,) in [0, 1) chooses
    from the pool. Cells are numbered row by row. Also returns (V,) where there is such a cell.
    """
    count, (height, width) = len(descriptors), level.values.shape[-2:]
    columns = torch.arange(width, device=pixels.device) * level.stride + level.offset
    rows = torch.arange(height, device=pixels.device) * level.stride + level.offset
    result = torch.zeros(count, dtype=torch.int64, device=pixels.device)
    found = torch.zeros(count, dtype=torch.bool, device=pixels.device)
    for number, values in enumerate(level.values):
        of_image = (image == number).nonzero()[:, 0]
        flat = at_least_single(values.flatten(1))
        for chunk in chunks(len(of_image), height * width, memory_limit):
            points = of_image[chunk]
            across = (columns - pixels[points, :1]).square()
            down = (rows - pixels[points, 1:]).square()
            near = down[:, :, None] + across[:, None] <= exclusion_px**2
            correlation = descriptors[points] @ flat
            correlation = correlation.masked_fill(near.flatten(1), -torch.inf)
            hardest = correlation.topk(min(pool, height * width), dim=1)
            candidates = hardest.values.isfinite().sum(1)
            chosen = (draw[points] * candidates).long()
            result[points] = hardest.indices.gather(1, chosen[:, None])[:, 0]
            found[points] = candidates > 0
    return result, found
