"""The Point Inference Network with its weights."""

from __future__ import annotations

import logging
from pathlib import Path

import torch

from dense_reloc_ros.deviloc.point_inference import FEATURES, PointInference
from dense_reloc_ros.errors import MapError
from dense_reloc_ros.features.extractor import FeatureSignature
from dense_reloc_ros.features.weights import load_weights

logger = logging.getLogger(__name__)


def open_point_inference(
    features: FeatureSignature, device: torch.device, weights: Path | None = None
) -> PointInference:
    """The network for inference, with weights of a file or those it brings along.

    Raises:
        MapError: a map of other features than the network can see.
        ConfigurationError: the weights cannot be read, or are not for this network.
    """
    if features.network != FEATURES:
        raise MapError(
            f"method 'deviloc' needs a map with the features of '{FEATURES}'; this one has those "
            f"of '{features.network}'"
        )
    network = PointInference()
    path = weights or network.default_weights()
    load_weights(network, path)
    if not network.knows(features):
        logger.warning(
            "%s was trained with other weights of '%s' than the map was built with: depths will "
            "be less exact until it is trained again (config/training/deviloc.yaml)",
            path,
            FEATURES,
        )
    return network.eval().requires_grad_(False).to(device)
