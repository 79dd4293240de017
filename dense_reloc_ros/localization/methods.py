"""Every method by name: which features, matched how, with which pose estimator."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Literal

import torch

from dense_reloc_ros.errors import ConfigurationError
from dense_reloc_ros.features.extractor import FeatureExtractor
from dense_reloc_ros.features.network import NetworkExtractor
from dense_reloc_ros.features.networks import NETWORKS, create_network
from dense_reloc_ros.features.weights import load_weights

Kind = Literal["sparse_to_dense", "sparse_to_sparse"]
Estimator = Literal["nre", "nre_coarse", "re", "re_smoothed", "dsm"]


@dataclass(frozen=True)
class Method:
    """One way to localize. Methods of one kind can share a map, whatever their estimator."""

    name: str
    kind: Kind
    network: str
    """The features that maps for it are built with unless another network is named."""
    estimator: Estimator
    description: str
    is_refined_by_features: bool = False
    """Whether Feature-PnP follows the estimator."""


METHODS: Mapping[str, Method] = MappingProxyType(
    {
        method.name: method
        for method in (
            Method(
                "nre",
                "sparse_to_dense",
                "compact",
                "nre",
                "sparse-to-dense loss maps, MSAC + P3P, GNC coarse to fine (NRE)",
            ),
            Method(
                "nre_coarse",
                "sparse_to_dense",
                "compact",
                "nre_coarse",
                "NRE that stops before the fine maps",
            ),
            Method(
                "re",
                "sparse_to_dense",
                "compact",
                "re",
                "best pixel of each map, LO-RANSAC and refinement (reprojection error)",
            ),
            Method(
                "re_smoothed",
                "sparse_to_dense",
                "compact",
                "re_smoothed",
                "best pixel of each map, RE as a special case of NRE (thesis eq. 4.11)",
            ),
            Method(
                "feature_pnp",
                "sparse_to_dense",
                "compact",
                "re",
                "re, then features and descriptors aligned (Feature-PnP)",
                is_refined_by_features=True,
            ),
            Method(
                "nre_feature_pnp",
                "sparse_to_dense",
                "compact",
                "nre",
                "nre, then features and descriptors aligned (Feature-PnP)",
                is_refined_by_features=True,
            ),
            Method(
                "dsm_compact",
                "sparse_to_dense",
                "compact",
                "dsm",
                "scene coordinates by dense scene matching (DSM), small network, LO-RANSAC",
            ),
            Method(
                "dsm",
                "sparse_to_dense",
                "compact",
                "dsm",
                "scene coordinates by dense scene matching (DSM), network of the paper, LO-RANSAC",
            ),
            Method(
                "sift_pnp",
                "sparse_to_sparse",
                "root_sift",
                "re",
                "RootSIFT on both sides, mutual nearest neighbours, LO-RANSAC",
            ),
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


def create_extractor(
    network: str, device: torch.device, weights: Path | None = None
) -> FeatureExtractor:
    """The dense features of a name, on a device, with the weights in a file or the name's own.

    Raises:
        ConfigurationError: there are none of this name, or their weights are missing or wrong.
    """
    fixed = _fixed_extractors()
    if network in fixed:
        if weights is not None:
            raise ConfigurationError(f"network '{network}' takes no weights from a file")
        return fixed[network](device)
    if network not in NETWORKS:
        known = ", ".join((*fixed, *NETWORKS))
        raise ConfigurationError(f"unknown network '{network}' (known: {known})")
    created = create_network(network)
    path = created.default_weights() if weights is None else weights
    loaded = load_weights(created, path)
    if not loaded.is_trained:
        created.use_untrained(path)
    return NetworkExtractor(created, loaded.sha256, device)


def _fixed_extractors() -> dict[str, Callable[[torch.device], FeatureExtractor]]:
    """Those that nothing can be trained of."""
    # Imported here: each brings its own heavy library.
    from dense_reloc_ros.features.dense_sift import DenseSift
    from dense_reloc_ros.features.effnet_lite0 import EffNetLite0

    return {"effnet_lite0": EffNetLite0, "dense_sift": DenseSift}
