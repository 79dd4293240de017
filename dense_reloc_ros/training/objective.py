"""What a run minimizes: the weighted sum of its losses on the features of a batch."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from dense_reloc_ros.features.extractor import DenseFeatures
from dense_reloc_ros.features.network import FeatureNetwork
from dense_reloc_ros.training.losses.value import LossValue
from dense_reloc_ros.training.pairs import PairBatch


class TrainingObjective(nn.Module, ABC):
    """What a run minimizes; what it learns or remembers is its state."""

    @abstractmethod
    def evaluate(self, network: Any, batch: Any, precision: torch.dtype) -> LossValue:
        """The loss of a network on a batch of the data that both are made for."""


class Objective(TrainingObjective):
    """Losses of feature networks on pairs, and their weights."""

    def __init__(self, losses: Sequence[nn.Module], weights: Sequence[float]) -> None:
        super().__init__()
        self.losses = nn.ModuleList(losses)
        self._weights = list(weights)

    def evaluate(
        self, network: FeatureNetwork, batch: PairBatch, precision: torch.dtype
    ) -> LossValue:
        """The loss of the network's features of a batch."""
        value: LossValue = self(*features_of_pairs(network, batch, precision), batch)
        return value

    def forward(self, source: DenseFeatures, target: DenseFeatures, batch: PairBatch) -> LossValue:
        """Σ weight * loss, with the parts of all."""
        total: Tensor = batch.source_image.new_zeros(())
        parts: dict[str, float] = {}
        for weight, loss in zip(self._weights, self.losses, strict=True):
            value = loss(source, target, batch)
            total = total + weight * value.total
            parts.update(value.parts)
        return LossValue(total, parts)


def features_of_pairs(
    network: FeatureNetwork, batch: PairBatch, precision: torch.dtype
) -> tuple[DenseFeatures, DenseFeatures]:
    """Features of the source and the target images, computed together; float32 for the losses."""
    images = torch.cat([batch.source_image, batch.target_image])
    enabled = precision != torch.float32
    with torch.autocast(images.device.type, precision if enabled else None, enabled=enabled):
        features: DenseFeatures = network(images)
    size = len(batch.source_image)
    return _part(features, slice(0, size)), _part(features, slice(size, None))


def _part(features: DenseFeatures, images: slice) -> DenseFeatures:
    return DenseFeatures(
        levels={
            name: replace(level, values=level.values[images].float())
            for name, level in features.levels.items()
        },
        global_descriptor=features.global_descriptor[images].float(),
    )
