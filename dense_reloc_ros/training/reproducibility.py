"""What makes two runs of one configuration the same on a CPU, bit for bit."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


def seed_step(seed: int, step: int) -> None:
    """The random numbers of a step (dropout, sampling) as a function of seed and step.

    With this, checkpoints need no random state.
    """
    torch.manual_seed(seed * 1_000_003 + step)


@contextmanager
def deterministic_sums(device: torch.device) -> Iterator[None]:
    """While it lasts, gradients of gathered values are summed in a fixed order on a CPU.

    By default its threads add them as they come. GPUs are left alone: some of their kernels that
    training needs have no fixed order at all.
    """
    if device.type != "cpu":
        yield
        return
    enabled = torch.are_deterministic_algorithms_enabled()
    only_warns = torch.is_deterministic_algorithms_warn_only_enabled()
    fills = torch.utils.deterministic.fill_uninitialized_memory  # type: ignore[attr-defined]
    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(enabled, warn_only=only_warns)
        torch.utils.deterministic.fill_uninitialized_memory = fills  # type: ignore[attr-defined]
