"""Every method by name. A new one is a file of its own and one line in `METHODS`."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from dense_reloc_ros.errors import ConfigurationError
from dense_reloc_ros.localization import (
    dense_scene_matching,
    hallucination,
    semi_dense,
    sift_pnp,
    single_matches,
    sparse_to_dense,
)
from dense_reloc_ros.localization.method import Method

METHODS: Mapping[str, Method] = MappingProxyType(
    {
        method.name: method
        for method in (
            *sparse_to_dense.METHODS,
            *single_matches.METHODS,
            *dense_scene_matching.METHODS,
            *semi_dense.METHODS,
            *hallucination.METHODS,
            *sift_pnp.METHODS,
        )
    }
)
DEFAULT_METHOD = "nre_feature_pnp"


def find_method(name: str) -> Method:
    """The method of a name.

    Raises:
        ConfigurationError: there is none; lists those that are.
    """
    if name not in METHODS:
        raise ConfigurationError(f"unknown method '{name}' (known: {', '.join(METHODS)})")
    return METHODS[name]
