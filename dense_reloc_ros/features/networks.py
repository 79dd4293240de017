"""The networks that can be trained, by name."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from types import MappingProxyType

from dense_reloc_ros.errors import ConfigurationError
from dense_reloc_ros.features.network import FeatureNetwork

NETWORKS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "compact": ("compact", "Compact"),
        "s2dhm": ("s2dhm", "S2dhm"),
        "s2dnet": ("s2dnet", "S2dNet"),
        "s2dnet_lite": ("s2dnet_lite", "S2dNetLite"),
        "nre": ("nre_network", "NreNetwork"),
    }
)
"""Module and class of each, which is imported when it is wanted: they are heavy."""


def create_network(name: str) -> FeatureNetwork:
    """The network of a name before any training: random, or with what its package brings along.

    Weights, those of ImageNet too, are loaded into it by `features.weights.load_weights`.

    Raises:
        ConfigurationError: there is none of this name; lists those that are.
    """
    if name not in NETWORKS:
        raise ConfigurationError(f"unknown network '{name}' (known: {', '.join(NETWORKS)})")
    module, kind = NETWORKS[name]
    network: FeatureNetwork = getattr(import_module(f"dense_reloc_ros.features.{module}"), kind)()
    return network
