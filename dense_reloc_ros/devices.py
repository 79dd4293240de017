"""Which device to compute on."""

from __future__ import annotations

import torch
from torch import Tensor

from dense_reloc_ros.errors import ConfigurationError


def find_device(name: str) -> torch.device:
    """The device of a name: auto (a GPU where there is one), cpu, cuda or cuda:N.

    Raises:
        ConfigurationError: an unknown name or a GPU that is not there.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        raise ConfigurationError(f"unknown device '{name}' (auto, cpu, cuda or cuda:N)") from None
    if device.type not in ("cpu", "cuda"):
        raise ConfigurationError(f"device '{name}' is not supported (auto, cpu, cuda or cuda:N)")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise ConfigurationError(f"device '{name}' is not there; use cpu, or auto to find one")
    return device


def network_batch(device: torch.device) -> int:
    """How many images go through a network together.

    On a processor, whose caches hold one, each of several takes up to 1.6 times as long as alone.
    """
    return 1 if device.type == "cpu" else 8


def to_processor(*tensors: Tensor) -> tuple[Tensor, ...]:
    """The tensors in the processor's memory, after one wait for the device for all of them."""
    *first, last = tensors
    # Copies follow one after the other: when the last one is there, so are the others.
    return (*(tensor.to("cpu", non_blocking=True) for tensor in first), last.cpu())
