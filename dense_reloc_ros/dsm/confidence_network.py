"""Net_conf: how certain each predicted coordinate is (paper 3.3.3, appendix A)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import instance_norm

CHANNELS = 64
BLOCKS = 5


class ConfidenceNetwork(nn.Module):
    """Five residual blocks of 1 x 1 convolutions with context normalization.

    They see a coordinate and where its pixel is, and through the normalization all others: whether
    it agrees with them on a pose. `extra` channels can be seen besides.
    """

    def __init__(self, extra: int = 0) -> None:
        super().__init__()
        self.extra = extra
        self.enter = nn.Conv2d(5 + extra, CHANNELS, 1)
        self.blocks = nn.Sequential(*(ContextBlock(CHANNELS) for _ in range(BLOCKS)))
        self.leave = nn.Conv2d(CHANNELS, 1, 1)

    def forward(self, coordinates: Tensor, extra: Tensor | None = None) -> Tensor:
        """Certainties (B, h, w) in [0, 1] of coordinates (B, 3, h, w) in the local frame."""
        batch, _, height, width = coordinates.shape
        y = torch.linspace(-1, 1, height, dtype=coordinates.dtype, device=coordinates.device)
        x = torch.linspace(-1, 1, width, dtype=coordinates.dtype, device=coordinates.device)
        rows, columns = torch.meshgrid(y, x, indexing="ij")
        pixels = torch.stack([columns, rows]).expand(batch, -1, -1, -1)
        parts = [coordinates, pixels] if extra is None else [coordinates, pixels, extra]
        logits: Tensor = self.leave(self.blocks(self.enter(torch.cat(parts, dim=1))))
        return logits[:, 0].sigmoid()


class ContextBlock(nn.Module):
    """Two 1 x 1 convolutions, each normalized by the context; what comes in is added."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(channels, channels, 1),
            ContextNormalization(),
            nn.ReLU(),
            nn.Conv2d(channels, channels, 1),
            ContextNormalization(),
            nn.ReLU(),
        )

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.layers(x)
        return x + y


class ContextNormalization(nn.Module):
    """Each channel of each image to zero mean and unit deviation over its pixels (Yi et al.)."""

    def forward(self, x: Tensor) -> Tensor:
        """Maps (B, C, h, w)."""
        return instance_norm(x, eps=1e-5)
