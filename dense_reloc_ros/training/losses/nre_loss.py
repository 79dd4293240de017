"""The Neural Reprojection Error as a training loss (thesis eq. 4.10)."""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from dense_reloc_ros.features.extractor import DenseFeatures, FeatureLevel
from dense_reloc_ros.features.precision import at_least_single
from dense_reloc_ros.matching.correlation import BYTES_PER_CELL, chunks
from dense_reloc_ros.parameter_blocks import Block
from dense_reloc_ros.training.examples import PairBatch
from dense_reloc_ros.training.losses.recomputation import call
from dense_reloc_ros.training.losses.sampling import (
    StepCounter,
    counted_points,
    find_level,
    gather_cells,
    sample_cells,
    sample_descriptors,
)
from dense_reloc_ros.training.losses.temperature import Temperature
from dense_reloc_ros.training.losses.value import LossValue


class NreLevelConfiguration(Block):
    """One level that the NRE is computed on."""

    level: str = Field(description="Name of the level")
    weight: float = Field(1.0, gt=0.0, description="Factor of its NRE in the loss")
    temperature: float = Field(gt=0.0, description="Divides correlations before the softmax")
    learn_temperature: bool = Field(False, description="Start from it and learn its logarithm")
    window: int | None = Field(
        None, ge=6, description="Side in cells of local maps, as for inference; unset: whole map"
    )
    jitter: float = Field(
        0.0, ge=0.0, description="Largest shift in cells of a window's centre from the truth"
    )

    @model_validator(mode="after")
    def _truth_stays_inside(self) -> NreLevelConfiguration:
        largest = 0.0 if self.window is None else (self.window + 1) // 2 - 2.5
        if self.jitter > largest:
            raise ValueError(f"jitter can be {largest} at most, for the truth to be in the window")
        return self


class NreLossConfiguration(Block):
    """The NRE on some levels."""

    name: Literal["nre"] = "nre"
    levels: tuple[NreLevelConfiguration, ...] = Field(
        (
            NreLevelConfiguration(level="coarse", temperature=0.05),
            NreLevelConfiguration(level="fine", temperature=0.01),
        ),
        min_length=1,
    )
    memory_mb: int = Field(
        512, ge=1, description="Correlation maps that need more are recomputed for the gradient"
    )

    @model_validator(mode="after")
    def _every_level_once(self) -> NreLossConfiguration:
        if len({level.level for level in self.levels}) < len(self.levels):
            raise ValueError("a level is listed twice")
        return self


class NreLoss(nn.Module):
    """Cross-entropy between where a point is and where its descriptor is found (eq. 4.4, s_n = 1).

    With the correspondence map C = softmax(correlation / temperature) and the bilinear weights w of
    the four cells around the true reprojection (eq. 4.3; x_n and y_n are ω - ⌊ω⌋, the text has
    their signs reversed), the NRE of a point is -Σ w ln C. As the weights sum to one and
    correlation is linear in the query's features, this is

        ln Σ_q exp(h · H(q) / temperature) - h · H(ω) / temperature,

    H(ω) being the features interpolated bilinearly without normalization. C(out) is 0 by
    definition (4.2): only points that the target image shows count, and the category `out` needs
    no place in the softmax. Eq. 4.10 sums over the points of a pair, this takes the mean over those
    of the batch, so that steps do not depend on how many are visible.
    """

    def __init__(self, configuration: NreLossConfiguration) -> None:
        super().__init__()
        self.configuration = configuration
        self.steps = StepCounter()
        self.temperatures = nn.ModuleDict(
            {
                level.level: Temperature(level.temperature, level.learn_temperature)
                for level in configuration.levels
            }
        )

    def forward(self, source: DenseFeatures, target: DenseFeatures, batch: PairBatch) -> LossValue:
        """The weighted sum of the levels' mean NREs, in nats."""
        generator = self.steps.next()
        total = batch.source_image.new_zeros(())
        parts = {}
        for level in self.configuration.levels:
            temperature = self.temperatures[level.level]()
            terms = self._terms(
                level,
                temperature,
                find_level(source, level.level),
                find_level(target, level.level),
                batch,
                generator,
            )
            mean = terms.sum() / max(len(terms), 1)
            total = total + level.weight * mean
            parts[f"nre/{level.level}"] = float(mean.detach())
            if level.learn_temperature:
                parts[f"nre/{level.level}_temperature"] = float(temperature.detach())
        return LossValue(total, parts)

    def _terms(
        self,
        configuration: NreLevelConfiguration,
        temperature: Tensor,
        source: FeatureLevel,
        target: FeatureLevel,
        batch: PairBatch,
        generator: torch.Generator,
    ) -> Tensor:
        """The NREs (V,) of the points that count, in full precision also under autocast."""
        image, point = counted_points(batch, target)
        cells = target.pixels_to_cells(batch.target_pixels[image, point])
        with torch.autocast(batch.visible.device.type, enabled=False):
            descriptors = sample_descriptors(source, image, batch.source_pixels[image, point])
            descriptors = descriptors / temperature
            truth = (descriptors * sample_cells(target.values, image, cells)).sum(-1)
            memory = self.configuration.memory_mb << 20
            if configuration.window is None:
                counts = torch.bincount(image, minlength=len(batch.visible)).tolist()
                return whole_map_evidence(descriptors, counts, target.values, memory) - truth
            shift = torch.rand(len(cells), 2, generator=generator) * 2 - 1
            centres = cells + shift.to(cells) * configuration.jitter
            return (
                window_evidence(
                    descriptors, image, target.values, centres, configuration.window, memory
                )
                - truth
            )


def whole_map_evidence(
    descriptors: Tensor, counts: list[int], values: Tensor, memory_limit: int
) -> Tensor:
    """ln Σ exp of the correlation (V,) of descriptors (V, C) with all cells of their image.

    The first counts[0] descriptors belong to the first image of `values` (B, C, h, w), and so on.
    Where all maps need more than the limit in bytes they are computed again for the gradient.
    """
    cells = values.shape[2:].numel()
    recompute = len(descriptors) * cells * BYTES_PER_CELL > memory_limit
    evidence = []
    for of_image, maps in zip(torch.split(descriptors, counts), values, strict=True):
        flat = at_least_single(maps.flatten(1))
        for chunk in chunks(len(of_image), cells, memory_limit):
            evidence.append(call(recompute, _log_sum, of_image[chunk], flat))
    return torch.cat(evidence) if evidence else descriptors.sum(-1)


def window_evidence(
    descriptors: Tensor,
    image: Tensor,
    values: Tensor,
    centres: Tensor,
    size: int,
    memory_limit: int,
) -> Tensor:
    """The same over windows of `size` cells around fractional cells (V, 2), laid as for inference.

    See `matching.windows.local_log_maps`; cells outside of the image do not count.
    """
    channels, height, width = values.shape[1:]
    origins = centres.round().long() - size // 2
    steps = torch.arange(size, device=origins.device)
    columns, rows = origins[:, :1] + steps, origins[:, 1:] + steps
    in_columns, in_rows = (columns >= 0) & (columns < width), (rows >= 0) & (rows < height)
    outside = ~(in_rows[:, :, None] & in_columns[:, None]).flatten(1)
    index = rows.clamp(0, height - 1)[:, :, None] * width + columns.clamp(0, width - 1)[:, None]
    index = index.flatten(1)
    cells = size * size * channels
    recompute = len(descriptors) * cells * BYTES_PER_CELL > memory_limit
    evidence = [
        call(
            recompute,
            _log_sum_at,
            descriptors[chunk],
            values,
            image[chunk],
            index[chunk],
            outside[chunk],
        )
        for chunk in chunks(len(descriptors), cells, memory_limit)
    ]
    return torch.cat(evidence) if evidence else descriptors.sum(-1)


def _log_sum(descriptors: Tensor, flat: Tensor) -> Tensor:
    return torch.logsumexp(descriptors @ flat, dim=1)


def _log_sum_at(
    descriptors: Tensor, values: Tensor, image: Tensor, index: Tensor, outside: Tensor
) -> Tensor:
    gathered = at_least_single(gather_cells(values, image, index))
    correlation = (gathered @ descriptors[..., None])[..., 0]
    return torch.logsumexp(correlation.masked_fill(outside, -torch.inf), dim=1)
