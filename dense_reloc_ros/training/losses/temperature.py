"""What correlations are divided by before a softmax."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

SMALLEST, LARGEST = 0.005, 1.0
"""Bounds of a learned temperature."""


class Temperature(nn.Module):
    """A fixed temperature, or one whose logarithm is learned within bounds."""

    def __init__(self, value: float, learned: bool) -> None:
        super().__init__()
        self.logarithm = nn.Parameter(torch.tensor(math.log(value)), requires_grad=learned)

    @property
    def learned(self) -> bool:
        return self.logarithm.requires_grad

    def forward(self) -> Tensor:
        """The temperature, a scalar."""
        if self.learned:
            # In place: a clamped value has no gradient that could bring the parameter back.
            with torch.no_grad():
                self.logarithm.clamp_(math.log(SMALLEST), math.log(LARGEST))
        return self.logarithm.exp()
