"""Measures a network on the same validation examples, now and then during its training."""

from __future__ import annotations

import copy
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import nn

from dense_reloc_ros.training.batches import Source, validation_batches
from dense_reloc_ros.training.objective import Objective
from dense_reloc_ros.training.reproducibility import seed_step


class ValidationMetrics(Protocol):
    """What is measured besides the losses.

    `Matches` of features, `Localizations` of DSM, `Liftings` of DeViLoc.
    """

    def add(self, *outputs: Any) -> None:
        """Takes note of what the losses get of a batch."""

    def metrics(self) -> Mapping[str, float]:
        """Of all batches that were added, by name."""


@dataclass(frozen=True)
class Validator:
    """Measures networks on the first examples of a source, the same ones each time."""

    source: Source
    examples: int
    batch_size: int
    workers: int
    metrics: Callable[[], ValidationMetrics]

    @torch.no_grad()
    def __call__(
        self,
        network: nn.Module,
        objective: Objective,
        device: torch.device,
        interrupted: Callable[[], bool] = lambda: False,
    ) -> dict[str, float] | None:
        """The means of the losses and their parts, and the metrics.

        Leaves the network and the losses as they were. None where it was interrupted.
        """
        seed_step(0, 0)
        was_training = network.training
        network.eval()
        # What a loss remembers and counts in training must not come from validation.
        objective = copy.deepcopy(objective).eval()
        sums: defaultdict[str, float] = defaultdict(float)
        metrics = self.metrics()
        batches = validation_batches(self.source, self.examples, self.batch_size, self.workers)
        try:
            for batch in batches:
                if interrupted():
                    return None
                outputs = objective.outputs(network, batch.to(device), torch.float32)
                value = objective(*outputs)
                share = len(batch.place) / self.examples
                for name, number in {"loss": float(value.total), **value.parts}.items():
                    sums[name] += share * number
                metrics.add(*outputs)
        finally:
            network.train(was_training)
        return {**sums, **metrics.metrics()}
