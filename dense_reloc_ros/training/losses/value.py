"""What a loss function returns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class LossValue:
    """A loss to minimize and the numbers that explain it in a log."""

    total: Tensor
    """() differentiable; zero, with zero gradients, where a batch has nothing to learn from."""
    parts: Mapping[str, float]
    """By names that no other loss uses, such as `nre/coarse`."""
