"""Random weights for VGG-16: what the code does does not depend on them."""

from __future__ import annotations

from pathlib import Path

import torch
from torchvision.models import vgg16


def random_vgg16_weights(path: Path) -> None:
    """Writes a file with the state of torchvision's `vgg16`, without its classifier."""
    with torch.device("meta"):
        shapes = vgg16().features.state_dict()
    generator = torch.Generator().manual_seed(0)
    state = {}
    for name, tensor in shapes.items():
        deviation = (2 / tensor[0].numel()) ** 0.5 if tensor.ndim == 4 else 0.0
        values = torch.randn(tensor.shape, generator=generator) * deviation
        state[f"features.{name}"] = values
    torch.save(state, path)
