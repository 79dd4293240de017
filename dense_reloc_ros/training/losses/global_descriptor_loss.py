"""The weakly supervised loss of NetVLAD with hard negatives (thesis 3.4.2, 3.6.1.2)."""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from dense_reloc_ros.features.extractor import DenseFeatures
from dense_reloc_ros.features.precision import at_least_single
from dense_reloc_ros.parameter_blocks import Block
from dense_reloc_ros.training.examples import PairBatch
from dense_reloc_ros.training.losses.value import LossValue


class GlobalDescriptorLossConfiguration(Block):
    """Margin and number of negatives as in NetVLAD (Arandjelovic et al. 2016)."""

    name: Literal["global_descriptor"] = "global_descriptor"
    margin: float = Field(0.1, gt=0.0, description="Of squared distances")
    negatives: int = Field(10, ge=1, description="Hardest negatives that count for a query")
    memory: int = Field(
        512, ge=0, description="Descriptors of earlier batches to find negatives among"
    )


class GlobalDescriptorLoss(nn.Module):
    """Σ_j [ d²(q, p) + m - d²(q, n_j) ]₊ over the hardest negatives n_j, the mean over queries.

    The thesis trains with "the same contrastive loss as NetVLAD", which is this ranking loss, on
    pairs labelled by co-visibility. The query q is the target image; its positive p is the source
    image, known to be co-visible, so NetVLAD's minimum over potential positives has one member;
    images of other places are negatives. The thesis mines the whole database once per epoch; runs
    here have no epochs, so the hardest are found among the sources of this batch and those of
    recent ones, which are remembered as they were and get no gradient. Evaluation uses those of
    the batch alone, so that validations compare.
    """

    def __init__(self, configuration: GlobalDescriptorLossConfiguration) -> None:
        super().__init__()
        self.configuration = configuration
        self.memory = DescriptorMemory(configuration.memory)

    def forward(self, source: DenseFeatures, target: DenseFeatures, batch: PairBatch) -> LossValue:
        """The mean over the queries, and the share of their negatives nearer than the positive."""
        with torch.autocast(batch.place.device.type, enabled=False):
            queries = at_least_single(target.global_descriptor)
            positives = at_least_single(source.global_descriptor)
            database, places = positives, batch.place
            if self.training:
                recent, recent_places = self.memory.recall(positives)
                database = torch.cat([database, recent])
                places = torch.cat([places, recent_places])
                self.memory.add(positives, batch.place)
            # Of unit vectors; larger is harder.
            similarity = queries @ database.T
            similarity = similarity.masked_fill(batch.place[:, None] == places, -torch.inf)
            count = min(self.configuration.negatives, len(places))
            hardest = similarity.topk(count, dim=1).values
            exists = hardest.isfinite()
            to_positive = (queries - positives).square().sum(1, keepdim=True)
            to_negative = 2 - 2 * torch.where(exists, hardest, 0.0)
            excess = (to_positive + self.configuration.margin - to_negative).clamp(min=0)
            total = torch.where(exists, excess, 0.0).sum(1).mean()
        wrong = (to_positive >= to_negative) & exists
        parts = {
            "global_descriptor": float(total.detach()),
            "global_descriptor/wrong_negatives": float(wrong.sum() / max(int(exists.sum()), 1)),
        }
        return LossValue(total, parts)


class DescriptorMemory(nn.Module):
    """The descriptors (N, D) and places (N,) that were added last; part of the state dict."""

    def __init__(self, capacity: int) -> None:
        super().__init__()
        self._capacity = capacity
        self._descriptors = torch.zeros(0, 0)
        self._places = torch.zeros(0, dtype=torch.int64)

    def recall(self, like: Tensor) -> tuple[Tensor, Tensor]:
        """Descriptors and places, of the type and on the device of other descriptors (B, D)."""
        descriptors = self._descriptors.to(like)
        if not len(descriptors):
            descriptors = like.new_zeros(0, like.shape[1])
        return descriptors, self._places.to(like.device)

    def add(self, descriptors: Tensor, places: Tensor) -> None:
        """Remembers descriptors (B, D) of places (B,), and forgets the oldest for them."""
        recent, recent_places = self.recall(descriptors)
        first = max(len(recent) + len(descriptors) - self._capacity, 0)
        self._descriptors = torch.cat([recent, descriptors.detach()])[first:]
        self._places = torch.cat([recent_places, places])[first:]

    # Not buffers: their sizes are not known before the first batch, nor when a run resumes.
    def get_extra_state(self) -> dict[str, Tensor]:
        return {"descriptors": self._descriptors, "places": self._places}

    def set_extra_state(self, state: dict[str, Tensor]) -> None:
        self._descriptors, self._places = state["descriptors"], state["places"]
