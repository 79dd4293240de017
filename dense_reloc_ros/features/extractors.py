"""Dense features by the name of their network."""

from __future__ import annotations

from pathlib import Path

import torch

from dense_reloc_ros.errors import ConfigurationError
from dense_reloc_ros.features.dense_sift import DenseSift
from dense_reloc_ros.features.effnet_lite0 import EffNetLite0
from dense_reloc_ros.features.extractor import FeatureExtractor
from dense_reloc_ros.features.network import NetworkExtractor
from dense_reloc_ros.features.networks import NETWORKS, create_network
from dense_reloc_ros.features.weights import load_weights

FIXED = {"effnet_lite0": EffNetLite0, "dense_sift": DenseSift}
"""Those that nothing can be trained of."""


def create_extractor(
    network: str, device: torch.device, weights: Path | None = None
) -> FeatureExtractor:
    """The dense features of a name, on a device, with the weights in a file or the name's own.

    Raises:
        ConfigurationError: there are none of this name, or their weights are missing or wrong.
    """
    if network in FIXED:
        if weights is not None:
            raise ConfigurationError(f"network '{network}' takes no weights from a file")
        extractor: FeatureExtractor = FIXED[network](device)
        return extractor
    if network not in NETWORKS:
        known = ", ".join((*FIXED, *NETWORKS))
        raise ConfigurationError(f"unknown network '{network}' (known: {known})")
    created = create_network(network)
    path = created.default_weights() if weights is None else weights
    loaded = load_weights(created, path)
    if not loaded.is_trained:
        created.use_untrained(path)
    return NetworkExtractor(created, loaded.sha256, device)
