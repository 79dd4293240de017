"""What training data comes as: records of tensors, alone or several as one batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from typing import TypeVar

import torch
from torch import Tensor

AnyExample = TypeVar("AnyExample", bound="Example")


@dataclass(frozen=True)
class Example:
    """A record of tensors; a batch has the same fields with a leading dimension B."""

    place: Tensor = field(kw_only=True)
    """() int64: examples of different places show nothing in common."""

    @staticmethod
    def batch(examples: Sequence[AnyExample]) -> AnyExample:
        """Examples that agree in their sizes as one batch."""
        first = examples[0]
        names = [field.name for field in fields(first)]
        stacked = {name: torch.stack([getattr(one, name) for one in examples]) for name in names}
        return replace(first, **stacked)

    def to(self: AnyExample, device: torch.device) -> AnyExample:
        """The same on another device."""
        return replace(self, **{f.name: getattr(self, f.name).to(device) for f in fields(self)})
