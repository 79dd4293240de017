"""What a run minimizes: the weighted sum of its losses on what the network makes of a batch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from dense_reloc_ros.training.losses.value import LossValue

Outputs = Callable[[Any, Any, torch.dtype], tuple[Any, ...]]
"""What the losses get, of a network, a batch and the precision of the network; the batch is last.

`features_of_pairs` for networks of features, `predictions_of_scenes` for DSM, `inferred_depths` for
DeViLoc.
"""


class Objective(nn.Module):
    """Losses and their weights; what they learn or remember is its state."""

    def __init__(
        self, losses: Sequence[nn.Module], weights: Sequence[float], outputs: Outputs
    ) -> None:
        super().__init__()
        self.outputs = outputs
        self.losses = nn.ModuleList(losses)
        self._weights = list(weights)

    def evaluate(self, network: nn.Module, batch: Any, precision: torch.dtype) -> LossValue:
        """The loss of a network on a batch."""
        value: LossValue = self(*self.outputs(network, batch, precision))
        return value

    def forward(self, *outputs: Any) -> LossValue:
        """Σ weight * loss, with the parts of all."""
        total: Tensor | float = 0.0
        parts: dict[str, float] = {}
        for weight, loss in zip(self._weights, self.losses, strict=True):
            value = loss(*outputs)
            total = total + weight * value.total
            parts.update(value.parts)
        assert isinstance(total, Tensor)  # a run has at least one loss
        return LossValue(total, parts)
