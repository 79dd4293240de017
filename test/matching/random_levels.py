"""Features without meaning, to compute with."""

from __future__ import annotations

import torch
from torch.nn.functional import normalize

from dense_reloc_ros.features.extractor import FeatureLevel


def random_level(images: int = 1, height: int = 5, width: int = 7, seed: int = 0) -> FeatureLevel:
    """A level of stride 4 whose cell 0 lies at pixel 1.5, of 6 channels."""
    generator = torch.Generator().manual_seed(seed)
    values = torch.randn(images, 6, height, width, generator=generator)
    return FeatureLevel(4, 1.5, normalize(values, dim=1))


def random_descriptors(count: int, seed: int = 9) -> torch.Tensor:
    """Descriptors (count, 6)."""
    generator = torch.Generator().manual_seed(seed)
    return normalize(torch.randn(count, 6, generator=generator), dim=1)
