"""What a run minimizes: the weighted sum of its losses on the features of a batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn

from dense_reloc_ros.features.extractor import DenseFeatures
from dense_reloc_ros.features.network import FeatureNetwork
from dense_reloc_ros.training.losses.value import LossValue
from dense_reloc_ros.training.pairs import PairBatch


class Objective(nn.Module):
    """Losses and their weights; what they learn or remember is its state."""

    def __init__(self, losses: Sequence[nn.Module], weights: Sequence[float]) -> None:
        super().__init__()
        self.losses = nn.ModuleList(losses)
        self._weights = list(weights)

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
