"""Networks of dense scene matching with their weights."""

from __future__ import annotations

from pathlib import Path

import torch

from dense_reloc_ros.dsm.scene_matcher import SceneMatcher, Variant, create_scene_matcher
from dense_reloc_ros.errors import ConfigurationError
from dense_reloc_ros.features.weights import load_weights

FOLDER = Path(__file__).parents[1] / "weights"
SHIPPED: tuple[Variant, ...] = ("dsm_compact",)


def open_scene_matcher(
    variant: Variant, device: torch.device, weights: Path | None = None
) -> SceneMatcher:
    """The network of a variant, for inference, with weights of a file or those it brings along.

    Raises:
        ConfigurationError: there are no weights, or they are not for this network.
    """
    if weights is None and variant not in SHIPPED:
        raise ConfigurationError(
            f"method '{variant}' has no weights of its own: name a file by the parameter "
            "dsm.weights, for example one that `dense-reloc train` has written"
        )
    matcher = create_scene_matcher(variant)
    load_weights(matcher, weights or FOLDER / f"{variant}.safetensors")
    return matcher.eval().requires_grad_(False).to(device)
