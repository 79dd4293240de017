"""What DeViLoc's network infers of training images, and how good that is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from dense_reloc_ros.deviloc.point_inference import (
    NEAR,
    InferredDepth,
    MapImagePixels,
    PointInference,
)
from dense_reloc_ros.training.examples import DepthPixels


def inferred_depths(
    network: PointInference, batch: DepthPixels, precision: torch.dtype
) -> tuple[InferredDepth, DepthPixels]:
    """What the network says of the unknown pixels of a batch, and the batch: what its losses get.

    It is small, so that its precision is always float32.
    """
    observed = MapImagePixels(
        batch.observed_positions, batch.observed_features, batch.observed_depths, batch.observed
    )
    return network(observed, MapImagePixels(batch.positions, batch.features)), batch


@dataclass
class Liftings:
    """Depths of all pixels that were added.

    `depth_median`: median relative error. `depth_near`: share of errors below `NEAR`.
    `confident`: share of pixels with a confidence of a half or more; `confident_near`: share of
    these whose error is below `NEAR`, `confidence`: what they say themselves.
    """

    errors: list[Tensor] = field(default_factory=list)
    confidences: list[Tensor] = field(default_factory=list)

    def add(self, inferred: InferredDepth, batch: DepthPixels) -> None:
        """What `inferred_depths` gave of a batch."""
        self.errors.append(((inferred.depths - batch.depths).abs() / batch.depths).flatten().cpu())
        self.confidences.append(inferred.confidence.flatten().cpu())

    def metrics(self) -> Mapping[str, float]:
        """By name."""
        errors, confidences = torch.cat(self.errors), torch.cat(self.confidences)
        near, sure = errors < NEAR, confidences >= 0.5
        return {
            "depth_median": float(errors.median()),
            "depth_near": float(near.float().mean()),
            "confident": float(sure.float().mean()),
            "confident_near": float(near[sure].float().mean()),
            "confidence": float(confidences[sure].mean()),
        }
