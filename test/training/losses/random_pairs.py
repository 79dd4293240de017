"""Random features and points for the losses, of float64 and small unless told otherwise."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import normalize

from dense_reloc_ros.features.extractor import DenseFeatures, FeatureLevel
from dense_reloc_ros.training.examples import PairBatch

STRIDES = {"coarse": (4, 1.5), "fine": (2, 0.5)}
HEIGHT, WIDTH = 24, 32
IMAGES, POINTS, CHANNELS = 2, 5, 3


def random_values(seed: int, dtype: torch.dtype = torch.float64) -> dict[str, Tensor]:
    """L2-normalized values (2, 3, h, w) of a coarse and a fine level, that want gradients."""
    generator = torch.Generator().manual_seed(seed)
    values = {}
    for name, (stride, _) in STRIDES.items():
        shape = (IMAGES, CHANNELS, HEIGHT // stride, WIDTH // stride)
        level = torch.randn(shape, generator=generator, dtype=torch.float64)
        values[name] = normalize(level, dim=1).to(dtype).requires_grad_()
    return values


def as_features(
    values: Mapping[str, Tensor], global_descriptor: Tensor | None = None
) -> DenseFeatures:
    """Dense features of values by level."""
    levels = {name: FeatureLevel(*STRIDES[name], values[name]) for name in values}
    some = next(iter(values.values()))
    if global_descriptor is None:
        global_descriptor = some.new_zeros(len(some), 4)
    return DenseFeatures(levels, global_descriptor)


def random_batch(
    seed: int = 0, visible: Tensor | None = None, target_pixels: Tensor | None = None
) -> PairBatch:
    """A batch of 2 pairs with 5 points each, by default with some that are not visible."""
    generator = torch.Generator().manual_seed(seed)

    def pixels() -> Tensor:
        size = torch.tensor([WIDTH - 1.0, HEIGHT - 1.0], dtype=torch.float64)
        return torch.rand(IMAGES, POINTS, 2, generator=generator, dtype=torch.float64) * size

    if visible is None:
        visible = torch.ones(IMAGES, POINTS, dtype=torch.bool)
        visible[0, 1] = visible[1, 3] = visible[1, 4] = False
    source_pixels, drawn = pixels(), pixels()
    identity = torch.eye(4).expand(IMAGES, 4, 4)
    images = torch.zeros(IMAGES, 3, HEIGHT, WIDTH)
    return PairBatch(
        source_image=images,
        target_image=images,
        source_pixels=source_pixels,
        target_pixels=drawn if target_pixels is None else target_pixels,
        visible=visible,
        points=torch.zeros(IMAGES, POINTS, 3),
        T_target_source=identity,
        source_intrinsics=torch.ones(IMAGES, 4),
        target_intrinsics=torch.ones(IMAGES, 4),
        has_pose=torch.zeros(IMAGES, dtype=torch.bool),
        place=torch.arange(IMAGES),
    )


def slow_bilinear(values: NDArray[np.float64], column: float, row: float) -> NDArray[np.float64]:
    """Features (C,) of values (C, h, w) at one place, its border continued outwards."""
    _, height, width = values.shape
    column, row = min(max(column, 0), width - 1), min(max(row, 0), height - 1)
    result = np.zeros(len(values))
    for j in range(height):
        for i in range(width):
            weight = max(0.0, 1 - abs(i - column)) * max(0.0, 1 - abs(j - row))
            result += weight * values[:, j, i]
    return result


def slow_descriptor(
    values: NDArray[np.float64], pixel: NDArray[np.float64], stride: int, offset: float
) -> NDArray[np.float64]:
    """The normalized descriptor (C,) at one pixel."""
    found = slow_bilinear(values, (pixel[0] - offset) / stride, (pixel[1] - offset) / stride)
    return found / math.sqrt(float(found @ found))


def numbers(tensor: Tensor) -> NDArray[np.float64]:
    """A tensor as float64 numbers."""
    return tensor.detach().double().numpy()
