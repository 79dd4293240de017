"""How others name the tensors of a network, so that their weights can be read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from torch import Tensor

State = Mapping[str, Tensor]
"""Tensors by name, as in `nn.Module.state_dict`."""


def unchanged(state: State) -> State:
    """The tensors as they are."""
    return state


@dataclass(frozen=True)
class CheckpointFormat:
    """One kind of file that has weights of a network, all of them or its trunk's."""

    name: str
    """For messages: whose weights these are."""
    keys: Mapping[str, str]
    """The names of the tensors in the network, each with its name in the file."""
    is_trained: bool = True
    """Whether nothing is missing; false where a trunk comes from another task, like ImageNet's."""
    ignored: tuple[str, ...] = ()
    """Prefixes of names in the file that the network has no use for."""
    metadata: Mapping[str, object] = field(default_factory=dict)
    """What the file must say besides the tensors, where it says anything about it."""
    convert: Callable[[State], State] = unchanged
    """What has to be done to the tensors, under the network's names."""
