"""NeurHal with its weights."""

from __future__ import annotations

from pathlib import Path

import torch

from dense_reloc_ros.errors import ConfigurationError
from dense_reloc_ros.features.weights import load_weights
from dense_reloc_ros.neurhal.hallucinator import NeurHal, create_hallucinator
from dense_reloc_ros.neurhal.variants import NeurHalVariant

FOLDER = Path(__file__).parents[1] / "weights"


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
    return network.eval().requires_grad_(False).to(device)
