"""One vector of many: the global descriptors that networks offer."""

from __future__ import annotations

from torch import Tensor


def generalized_mean(maps: Tensor, power: float = 3.0) -> Tensor:
    """GeM pooling (B, C) of non-negative maps (B, C, h, w)."""
    return maps.pow(power).mean((2, 3)).pow(1 / power)
