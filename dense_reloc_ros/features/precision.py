"""Mixed precision: where half of it is not enough."""

from __future__ import annotations

import torch
from torch import Tensor


def at_least_single(values: Tensor) -> Tensor:
    """Values as float32 where they are float16 or bfloat16, in which norms and powers overflow."""
    return values.to(torch.promote_types(values.dtype, torch.float32))
