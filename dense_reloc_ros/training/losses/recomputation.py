"""Gradients that need little memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor
from torch.utils.checkpoint import checkpoint


def call(recompute: bool, function: Callable[..., Tensor], *inputs: Any) -> Tensor:
    """The function of the inputs; computed again for the gradient instead of kept, if wanted."""
    if recompute:
        # preserve_rng_state: the functions draw nothing, and reading CUDA's state takes time.
        result: Tensor = checkpoint(
            function, *inputs, use_reentrant=False, preserve_rng_state=False
        )
        return result
    return function(*inputs)
