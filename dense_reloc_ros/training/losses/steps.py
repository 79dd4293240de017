"""Random numbers of a loss that repeat: a function of how many batches it has seen."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class StepCounter(nn.Module):
    """Counts training batches; the count is part of the state dict, so that runs resume exactly."""

    count: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("count", torch.zeros((), dtype=torch.int64))

    def next(self) -> torch.Generator:
        """The random numbers of this batch, made on the CPU; counts it when training.

        In evaluation mode they are always those of batch 0, so that validations compare.
        """
        step = int(self.count) if self.training else 0
        if self.training:
            self.count += 1
        return torch.Generator().manual_seed(step)
