"""What NeurHal says of training pairs, and how well, by task."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from dense_reloc_ros.matching.filters import best_cells
from dense_reloc_ros.neurhal.hallucinator import HallucinatedMaps, NeurHal
from dense_reloc_ros.neurhal.tasks import TASKS
from dense_reloc_ros.training.examples import HallucinationBatch
from dense_reloc_ros.training.losses.hallucination_loss import neural_errors


def maps_of_pairs(
    network: NeurHal, batch: HallucinationBatch, precision: torch.dtype
) -> tuple[HallucinatedMaps, HallucinationBatch]:
    """The maps of a batch's points, float32, and the batch: what NeurHal's loss gets."""
    enabled = precision != torch.float32
    with torch.autocast(batch.source.device.type, precision if enabled else None, enabled=enabled):
        source = network.source_view(batch.source, batch.source_intrinsics)
        target = network.target_view(batch.target, batch.target_intrinsics)
        maps = network.match(source, target, batch.source_pixels, batch.source_depths)
    return maps, batch


@dataclass
class Hallucinations:
    """The correspondents of all batches that were added, by task.

    `nre/TASK`: mean NRE; `uniform`: that of a uniform map. `error_px/TASK`: median distance of the
    map's best cell from the true correspondent.
    """

    errors: list[Tensor] = field(default_factory=list)
    nres: list[Tensor] = field(default_factory=list)
    tasks: list[Tensor] = field(default_factory=list)
    uniform: float = math.nan

    def add(self, maps: HallucinatedMaps, batch: HallucinationBatch) -> None:
        """What `maps_of_pairs` gave of a batch."""
        nres, counted = neural_errors(maps, batch.target_pixels)
        counted = counted & batch.counted
        cells = best_cells(maps.log_maps.flatten(0, 1)).view(*counted.shape, 2)
        error = (maps.plane.pixels(cells) - batch.target_pixels).norm(dim=-1)
        self.errors.append(error[counted].cpu())
        self.nres.append(nres[counted].cpu())
        self.tasks.append(batch.tasks[counted].cpu())
        self.uniform = math.log(maps.plane.cell_count)

    def metrics(self) -> Mapping[str, float]:
        """By name; NaN where there was no such point."""
        errors, nres, tasks = (torch.cat(one) for one in (self.errors, self.nres, self.tasks))
        metrics = {"uniform": self.uniform}
        for task in TASKS:
            of_task, name = tasks == task, task.name.lower()
            some = bool(of_task.any())
            metrics[f"nre/{name}"] = float(nres[of_task].mean()) if some else math.nan
            metrics[f"error_px/{name}"] = float(errors[of_task].median()) if some else math.nan
        return metrics
