"""Losses that bound what outliers weigh in least squares."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import NamedTuple

import torch
from torch import Tensor


class RobustValue(NamedTuple):
    """A loss and its derivative, of the same shape as what they are taken of."""

    loss: Tensor
    weight: Tensor
    """The derivative: what iterated reweighted least squares weighs a residual by."""


RobustLoss = Callable[[Tensor], RobustValue]
"""From s >= 0, the squared residual in units of the squared scale; near 0 all losses are s."""


def squared(s: Tensor) -> RobustValue:
    """Plain least squares."""
    return RobustValue(s, torch.ones_like(s))


def huber(s: Tensor) -> RobustValue:
    """Linear in the residual beyond one scale."""
    root = s.clamp(min=1.0).sqrt()
    return RobustValue(torch.where(s <= 1, s, 2 * root - 1), 1 / root)


def cauchy(s: Tensor) -> RobustValue:
    """Logarithmic far out."""
    return RobustValue(s.log1p(), 1 / (1 + s))


def geman_mcclure(s: Tensor) -> RobustValue:
    """Bounded by 1: what is far out does not pull at all."""
    inverse = 1 / (1 + s)
    return RobustValue(s * inverse, inverse.square())


ROBUST_LOSSES: Mapping[str, RobustLoss] = MappingProxyType(
    {"squared": squared, "huber": huber, "cauchy": cauchy, "geman_mcclure": geman_mcclure}
)
