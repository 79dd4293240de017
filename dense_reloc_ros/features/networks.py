"""The networks that can be trained, by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from types import MappingProxyType

from dense_reloc_ros.errors import ConfigurationError
from dense_reloc_ros.features.network import FeatureNetwork


def _from(module: str, name: str) -> Callable[[], FeatureNetwork]:
    """Makes the network of a class that is imported when it is wanted: each is heavy."""

    def create() -> FeatureNetwork:
        network: FeatureNetwork = getattr(import_module(module), name)()
        return network

    return create


NETWORKS: Mapping[str, Callable[[], FeatureNetwork]] = MappingProxyType(
    {
        "compact": _from("dense_reloc_ros.features.compact", "Compact"),
        "s2dhm": _from("dense_reloc_ros.features.s2dhm", "S2dhm"),
        "s2dnet": _from("dense_reloc_ros.features.s2dnet", "S2dNet"),
        "nre": _from("dense_reloc_ros.features.nre_network", "NreNetwork"),
    }
)


def create_network(name: str) -> FeatureNetwork:
    """The network of a name before any training: random, or with what its package brings along.

    Weights, those of ImageNet too, are loaded into it by `features.weights.load_weights`.

    Raises:
        ConfigurationError: there is none of this name; lists those that are.
    """
    if name not in NETWORKS:
        raise ConfigurationError(f"unknown network '{name}' (known: {', '.join(NETWORKS)})")
    return NETWORKS[name]()
