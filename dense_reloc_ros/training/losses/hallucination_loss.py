"""NeurHal's loss: the NRE at the true correspondent, wherever it lies (thesis eq. 5.1)."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from dense_reloc_ros.neurhal.hallucinator import HallucinatedMaps
from dense_reloc_ros.neurhal.tasks import TASKS
from dense_reloc_ros.parameter_blocks import Block
from dense_reloc_ros.training.examples import HallucinationBatch
from dense_reloc_ros.training.losses.sampling import corners
from dense_reloc_ros.training.losses.value import LossValue


class HallucinationLossConfiguration(Block):
    """The NRE on the plane around the target."""

    name: Literal["hallucination"] = "hallucination"


class HallucinationLoss(nn.Module):
    """Mean NRE of correspondents; the tasks are only logged.

    Those that the plane does not contain have that of elsewhere, for networks that have it, and do
    not count for others.
    """

    def __init__(self, configuration: HallucinationLossConfiguration) -> None:
        super().__init__()

    def forward(self, maps: HallucinatedMaps, batch: HallucinationBatch) -> LossValue:
        """In nats."""
        errors, inside = neural_errors(maps, batch.target_pixels)
        counted = inside & batch.counted
        parts = {}
        if maps.log_elsewhere is not None:
            outside = batch.counted & ~inside
            errors = errors.where(inside, -maps.log_elsewhere)
            counted = batch.counted
            if bool(outside.any()):
                parts["nre/elsewhere"] = float(errors.detach()[outside].mean())
        total = errors.where(counted, 0).sum() / counted.sum().clamp(min=1)
        for task in TASKS:
            of_task = counted & inside & (batch.tasks == task)
            if bool(of_task.any()):
                parts[f"nre/{task.name.lower()}"] = float(errors.detach()[of_task].mean())
        return LossValue(total, parts)


def neural_errors(maps: HallucinatedMaps, pixels: Tensor) -> tuple[Tensor, Tensor]:
    """NREs (B, N) at pixels (B, N, 2) of targets, -Σ w ln C with the bilinear w of eq. 4.3.

    And which of them, (B, N), lie on the plane; the others are 0.
    """
    plane = maps.plane
    inside = plane.contains(pixels)
    cells = plane.cells(pixels).where(inside[..., None], 0.0)
    index, weights = corners(cells, plane.height, plane.width)
    likelihoods = torch.gather(maps.log_maps.flatten(2), 2, index)
    return -(weights * likelihoods).sum(-1).where(inside, 0.0), inside
