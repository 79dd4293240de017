"""The Point Inference Network (PIN): depth for pixels of a map image that have no 3D point.

After "Learning to Produce Semi-dense Correspondences for Visual Localization" (DeViLoc), of which
only the supplement was at hand: its parts (geometric guidance by one cross-attention from unknown
to observed pixels, visual guidance by three pairs of self- and cross-attention, a depth and a
confidence of each pixel, depths normalized by the range of the observed ones) are the paper's;
their sizes and the following are ours. Observed pixels look at each other, too, which tells those
whose depth is wrong. The depth is a mean of observed depths, weighted by an attention that distance
in the image dampens, plus what the network adds: a few observations are then copied exactly. The
confidence is the probability that the depth is within `NEAR` of the truth, by a Laplace
distribution whose scale is what the network predicts.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from dense_reloc_ros.deviloc.attention import AttentionBlock
from dense_reloc_ros.features.extractor import FeatureSignature
from dense_reloc_ros.features.network import TrainableNetwork

WEIGHTS = Path(__file__).parents[1] / "weights" / "deviloc.safetensors"
FEATURES = "compact"
"""The network whose features, coarse and fine, it sees at each pixel."""
IMAGE_CHANNELS = 128 + 64
CHANNELS, HEADS, PAIRS = 64, 4, 3
NEAR = 0.05
"""Share of the true depth within which a depth is right."""
RANGE_QUANTILES = (0.05, 0.95)
"""Of the observed depths: the supplement takes the least and the largest, which are outliers in
noisy maps."""
LEAST_RANGE = 0.2
"""Of the largest depth, that a range of depths covers at least: one observation has no range."""
FREQUENCIES = 4
"""Octaves of a position's encoding."""
LOG_SCALE_RANGE = (-5.0, 1.0)
"""Of the relative error."""


@dataclass(frozen=True)
class MapImagePixels:
    """Pixels of B images, with a depth (observed) or without (unknown)."""

    positions: Tensor
    """(B, N, 2): x / z and y / z in the camera."""
    features: Tensor
    """(B, N, IMAGE_CHANNELS) of the image."""
    depths: Tensor | None = None
    """(B, N) of those that are observed; in metres or any other unit."""
    exists: Tensor | None = None
    """(B, N) bool: False fills images with fewer pixels; None, all exist."""


@dataclass(frozen=True)
class InferredDepth:
    """What the network says about unknown pixels."""

    depths: Tensor
    """(B, N) in the unit of the observed ones."""
    scales: Tensor
    """(B, N): scale of the Laplace distribution of the relative error."""

    @property
    def confidence(self) -> Tensor:
        """(B, N): the probability that the depth is within `NEAR` of the truth."""
        return 1 - torch.exp(-NEAR / self.scales)

    @property
    def deviations(self) -> Tensor:
        """(B, N): standard deviation of the relative error."""
        return math.sqrt(2) * self.scales


class PointInference(TrainableNetwork):
    """PIN, small: 0.3 M parameters; only differences and ratios of the depths matter to it."""

    name = "deviloc"
    features_sha256: Tensor
    """(32,) uint8: of the weights that the features it learned from were computed with."""

    def __init__(self, features_sha256: str = "") -> None:
        super().__init__()
        digest = bytes.fromhex(features_sha256).ljust(32, b"\0")
        self.register_buffer("features_sha256", torch.tensor(list(digest), dtype=torch.uint8))
        encoded = 2 + 4 * FREQUENCIES
        self.position = _network(encoded, CHANNELS)
        self.observation = _network(encoded + 1, CHANNELS)
        self.image = nn.Linear(IMAGE_CHANNELS, CHANNELS)
        self.geometric = AttentionBlock(CHANNELS, HEADS)
        self.own = nn.ModuleList(AttentionBlock(CHANNELS, HEADS) for _ in range(PAIRS))
        self.cross = nn.ModuleList(AttentionBlock(CHANNELS, HEADS) for _ in range(PAIRS))
        self.pointer_query = nn.Linear(CHANNELS, CHANNELS)
        self.pointer_key = nn.Linear(CHANNELS, CHANNELS)
        self.log_nearness = nn.Parameter(torch.tensor(3.0))
        self.output = nn.Sequential(nn.LayerNorm(CHANNELS), _network(CHANNELS, 2))

    def default_weights(self) -> Path:
        return WEIGHTS

    def knows(self, features: FeatureSignature) -> bool:
        """Whether it learned from such features."""
        is_same = bytes(self.features_sha256.tolist()).hex() == features.weights_sha256
        return is_same and features.network == FEATURES

    def forward(self, observed: MapImagePixels, unknown: MapImagePixels) -> InferredDepth:
        """Depths of unknown pixels (B, N) from observed ones (B, M), at least one in each image."""
        assert observed.depths is not None
        exists = observed.exists
        if exists is None:
            exists = torch.ones_like(observed.depths, dtype=torch.bool)
        low, span = depth_range(observed.depths, exists)
        depths = (observed.depths - low) / span
        encoded = encoded_positions(observed.positions)
        known = self.observation(torch.cat([encoded, depths[..., None]], dim=-1))
        wanted = self.position(encoded_positions(unknown.positions))
        wanted = self.geometric(wanted, known, exists)
        known = known + self.image(observed.features)
        wanted = wanted + self.image(unknown.features)
        for own, cross in zip(self.own, self.cross, strict=True):
            known, wanted = own(known, known, exists), own(wanted, wanted)
            known, wanted = cross(known, wanted), cross(wanted, known, exists)
        pointer = self._pointer(wanted, known, observed.positions, unknown.positions, exists)
        added, log_scale = self.output(wanted).unbind(-1)
        found = low + span * ((pointer * depths[:, None]).sum(-1) + added)
        # Behind the camera nothing is; a depth near 0 would also be infinitely exact.
        found = found.maximum(0.1 * low.clamp(min=1e-6))
        return InferredDepth(found, log_scale.clamp(*LOG_SCALE_RANGE).exp())

    def _pointer(
        self, wanted: Tensor, known: Tensor, observed: Tensor, unknown: Tensor, exists: Tensor
    ) -> Tensor:
        """Weights (B, N, M), of sum 1, of the observed pixels for the depth of each unknown one."""
        scores = self.pointer_query(wanted) @ self.pointer_key(known).mT / math.sqrt(CHANNELS)
        # At a distance of 1 / nearness in the image plane the weight has fallen to 1 / e.
        distances = torch.cdist(unknown, observed)
        scores = scores - self.log_nearness.exp() * distances
        weights: Tensor = scores.masked_fill(~exists[:, None], -torch.inf).softmax(-1)
        return weights


def depth_range(depths: Tensor, exists: Tensor) -> tuple[Tensor, Tensor]:
    """The lowest depth (B, 1) of the observed ones (B, M), and how far they range (B, 1)."""
    shown = depths.masked_fill(~exists, torch.nan)
    quantiles = depths.new_tensor(RANGE_QUANTILES)
    low, high = shown.nanquantile(quantiles, dim=-1, keepdim=True)
    return low, (high - low).maximum(LEAST_RANGE * high)


def encoded_positions(positions: Tensor) -> Tensor:
    """Positions (..., 2) with the sine and cosine of some octaves of them."""
    octaves = math.pi * 2.0 ** torch.arange(FREQUENCIES, device=positions.device)
    angles = (positions[..., None] * octaves).flatten(-2)
    return torch.cat([positions, angles.sin(), angles.cos()], dim=-1)


def _network(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(inputs, CHANNELS), nn.GELU(), nn.Linear(CHANNELS, outputs))
