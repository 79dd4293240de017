"""Where a feature lies, as a vector that is added to it (thesis C.3.1)."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn


class PositionalEncoding(nn.Module):
    """An MLP from positions to features, with batch norm and ReLU between its layers.

    With sizes (32, 64, 128, 256, 384) it has the 142 000 parameters of table C.1.
    """

    def __init__(self, inputs: int, sizes: Sequence[int]) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for before, size in zip((inputs, *sizes), sizes, strict=False):
            if layers:
                layers += [nn.BatchNorm1d(before), nn.ReLU()]
            layers.append(nn.Linear(before, size))
        self.layers = nn.Sequential(*layers)

    def forward(self, positions: Tensor) -> Tensor:
        """Of positions (..., inputs), (..., channels)."""
        encoded: Tensor = self.layers(positions.flatten(0, -2))
        return encoded.reshape(*positions.shape[:-1], -1)


def image_positions(pixels: Tensor, size: tuple[int, int]) -> Tensor:
    """Pixels (..., 2) of an image (height, width) from -1 to 1, and beyond outside of it."""
    extent = pixels.new_tensor([size[1], size[0]])
    return (2 * pixels + 1) / extent - 1


def tangents(pixels: Tensor, intrinsics: Tensor) -> Tensor:
    """Pixels (B, ..., 2) on the plane at distance 1 of cameras (B, 4) fx, fy, cx, cy.

    Unlike `image_positions` they mean the same direction for every lens.
    """
    shape = (len(intrinsics), *(1,) * (pixels.ndim - 2), 2)
    return (pixels - intrinsics[:, 2:].reshape(shape)) / intrinsics[:, :2].reshape(shape)


def octaves(positions: Tensor, count: int) -> Tensor:
    """Positions (..., D) with sines and cosines of `count` octaves, (..., D (1 + 2 count)).

    The longest wave has a length of 4, more than a plane is wide.
    """
    waves = math.pi / 2 * 2.0 ** torch.arange(count, device=positions.device)
    angles = (positions[..., None] * waves).flatten(-2)
    return torch.cat([positions, angles.sin(), angles.cos()], dim=-1)
