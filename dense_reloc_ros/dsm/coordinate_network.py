"""Net_coords: a coordinate map from the cost-coordinate volume (paper 3.3.2, appendix A)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, pad

CHANNELS = 64
RESIDUAL_BLOCKS = 3
NORM_GROUPS = 8


@dataclass(frozen=True)
class NormalizedVolume:
    """A cost volume in the local frame, as networks take it."""

    correlations: Tensor
    """(B, K, h, w), 0 where there is no point."""
    coordinates: Tensor
    """(B, K, 3, h, w), 0 where there is no point."""
    exists: Tensor
    """(B, K, h, w) bool."""


class CoordinateNetwork(nn.Module):
    """Three residual blocks of 1 x 1 convolutions on the 4K cost-coordinate volume, one dense block
    of 3 x 3 convolutions on the image's features, theirs and the initial coordinates.

    The dense block's layers and growth are not said in the paper. Group norms stand for the batch
    norms of the blocks that it cites: they do not depend on the batch.
    """

    def __init__(
        self, candidates: int, image_channels: int, has_initial: bool, growth: int, layers: int
    ) -> None:
        super().__init__()
        self.enter = nn.Conv2d(4 * candidates, CHANNELS, 1)
        self.residual = nn.Sequential(*(ResidualBlock(CHANNELS) for _ in range(RESIDUAL_BLOCKS)))
        entering = image_channels + CHANNELS + (3 if has_initial else 0)
        self.dense = DenseBlock(entering, growth, layers)
        self.leave = nn.Conv2d(self.dense.channels, 3, 3, padding=1)

    def forward(self, volume: NormalizedVolume, image: Tensor, initial: Tensor | None) -> Tensor:
        """Coordinates (B, 3, h, w) in the local frame.

        Args:
            volume: the K best candidates.
            image: features (B, C, h, w) of the query.
            initial: coordinates (B, 3, h, w) from the level before, in the local frame.
        """
        entering = torch.cat([volume.correlations, volume.coordinates.flatten(1, 2)], dim=1)
        found = self.residual(self.enter(entering))
        parts = [image, found] if initial is None else [image, found, initial]
        coordinates: Tensor = self.leave(self.dense(torch.cat(parts, dim=1)))
        return coordinates


class CandidateNetwork(nn.Module):
    """A variant of Net_coords that learns fast: it weighs the candidates instead of regressing.

    Its coordinates are a mean of the candidates, weighted by the softmax of correlation /
    temperature + a learned score, plus a small learned residual. Before any training this is the
    soft arg max of the correlation. The candidates are seen relative to what the pixels around
    agree on: a map moved elsewhere looks the same.
    """

    def __init__(
        self,
        candidates: int,
        image_channels: int,
        growth: int,
        layers: int,
        temperature: float,
        scale: float,
    ) -> None:
        super().__init__()
        self.log_temperature = nn.Parameter(torch.tensor(temperature).log())
        self._scale = scale
        self.enter = nn.Conv2d(5 * candidates, CHANNELS, 1)
        self.residual = nn.Sequential(*(ResidualBlock(CHANNELS) for _ in range(RESIDUAL_BLOCKS)))
        self.dense = DenseBlock(image_channels + CHANNELS + 3, growth, layers)
        self.leave = nn.Conv2d(self.dense.channels, candidates + 3, 3, padding=1)
        for parameter in self.leave.parameters():
            nn.init.zeros_(parameter)

    def forward(self, volume: NormalizedVolume, image: Tensor, initial: Tensor | None) -> Tensor:
        """Coordinates (B, 3, h, w) in the local frame, as of `CoordinateNetwork`.

        The initial coordinates are not used: those of the candidates hold as much.
        """
        scores = volume.correlations / self.log_temperature.exp()
        scores = scores.masked_fill(~volume.exists, -1e4)
        weights = scores.softmax(1)
        mean = (weights[:, :, None] * volume.coordinates).sum(1)
        around = _mean_around(mean, weights.amax(1, keepdim=True))
        apart = (volume.coordinates - around[:, None]) * self._scale
        apart = (apart * volume.exists[:, :, None]).clamp(-4, 4)
        entering = torch.cat([volume.correlations, weights, apart.flatten(1, 2)], dim=1)
        found = self.residual(self.enter(entering))
        learned: Tensor = self.leave(self.dense(torch.cat([image, found, around], dim=1)))
        weights = (scores + learned[:, :-3]).softmax(1)
        coordinates = (weights[:, :, None] * volume.coordinates).sum(1)
        return coordinates + learned[:, -3:] / (10 * self._scale)


class ResidualBlock(nn.Module):
    """Two 1 x 1 convolutions; what comes in is added."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(channels, channels, 1),
            nn.GroupNorm(NORM_GROUPS, channels),
            nn.ReLU(),
            nn.Conv2d(channels, channels, 1),
            nn.GroupNorm(NORM_GROUPS, channels),
        )

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.layers(x)
        return torch.relu(x + y)


class DenseBlock(nn.Module):
    """3 x 3 convolutions, each of which sees what came in and all those before it."""

    def __init__(self, channels: int, growth: int, layers: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(channels + i * growth, growth, 3, padding=1),
                nn.GroupNorm(NORM_GROUPS, growth),
                nn.ReLU(),
            )
            for i in range(layers)
        )
        self.channels = channels + layers * growth

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            x = torch.cat([x, layer(x)], dim=1)
        return x


def _mean_around(coordinates: Tensor, weight: Tensor) -> Tensor:
    """Means of coordinates (B, 3, h, w) over 5 x 5 pixels, weighted by (B, 1, h, w)."""
    both = pad(torch.cat([coordinates * weight, weight], dim=1), (2, 2, 2, 2), mode="replicate")
    total = avg_pool2d(both, 5, 1)
    return total[:, :3] / total[:, 3:].clamp(min=1e-6)
