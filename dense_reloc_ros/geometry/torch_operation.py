"""Compiled functions as operations of torch: one where operations are counted or profiled."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import torch

NAMESPACE = "dense_reloc"

Function = TypeVar("Function", bound=Callable[..., torch.Tensor])


def torch_operation(schema: str) -> Callable[[Function], Function]:
    """Registers a function of tensors of the processor, without gradients, under its own name.

    `torch.library.custom_op` does more, and for that imports torch's compiler: seconds.
    """

    def register(function: Function) -> Function:
        name = f"{NAMESPACE}::{function.__name__}"
        torch.library.define(name, schema)
        torch.library.impl(name, "cpu", function)
        operation: Function = getattr(getattr(torch.ops, NAMESPACE), function.__name__)
        return operation

    return register
