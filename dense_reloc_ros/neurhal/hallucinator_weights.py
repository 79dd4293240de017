"""NeurHal's networks by name, and with their weights."""

from __future__ import annotations

from pathlib import Path

import torch

from dense_reloc_ros.errors import ConfigurationError
from dense_reloc_ros.features.weights import load_weights
from dense_reloc_ros.neurhal.backbones import InceptionBackbone
from dense_reloc_ros.neurhal.compact_hallucinator import CompactNeurHal
from dense_reloc_ros.neurhal.hallucinator import NeurHal
from dense_reloc_ros.neurhal.positional_encoding import PositionalEncoding
from dense_reloc_ros.neurhal.variants import NEURHAL_VARIANTS, NeurHalVariant

FOLDER = Path(__file__).parents[1] / "weights"
PUBLISHED_SIZES = (32, 64, 128, 256, 384)


def create_hallucinator(variant: NeurHalVariant) -> NeurHal:
    """The network of a variant before training.

    Raises:
        ConfigurationError: there is none of this name; lists those that are.
    """
    if variant not in NEURHAL_VARIANTS:
        known = ", ".join(NEURHAL_VARIANTS)
        raise ConfigurationError(f"unknown variant of NeurHal '{variant}' (known: {known})")
    if variant == "neurhal_compact":
        return CompactNeurHal()
    channels = PUBLISHED_SIZES[-1]
    positions = PositionalEncoding(2, PUBLISHED_SIZES)
    return NeurHal(variant, (480, 640), InceptionBackbone(channels), positions, channels)


def open_hallucinator(
    variant: NeurHalVariant, device: torch.device, weights: Path | None = None
) -> NeurHal:
    """The network of a variant, for inference, with weights of a file or those it brings along.

    Raises:
        ConfigurationError: there are no weights, or they are not for this network.
    """
    own = FOLDER / f"{variant}.safetensors"
    if weights is None and not own.is_file():
        raise ConfigurationError(
            f"method '{variant}' has no weights of its own: name a file by the parameter "
            "neurhal.weights, for example one that `dense-reloc train` has written"
        )
    network = create_hallucinator(variant)
    if not load_weights(network, weights or own).is_trained:
        network.use_untrained(weights or own)
    network.backbone.check_features(weights or own)
    return network.eval().requires_grad_(False).to(device)
