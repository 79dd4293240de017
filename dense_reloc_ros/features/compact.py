"""The network made for this project: small enough for a robot's CPU, trained for poses."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor, nn
from torch.nn.functional import interpolate, normalize, pad

from dense_reloc_ros.features.extractor import DenseFeatures, FeatureLevel, LevelSignature
from dense_reloc_ros.features.network import FeatureNetwork
from dense_reloc_ros.features.pooling import generalized_mean
from dense_reloc_ros.features.precision import at_least_single
from dense_reloc_ros.features.preprocess import normalize_local_contrast, standardize
from dense_reloc_ros.features.trunk import EfficientNetLite0Trunk

SMALL, MIDDLE, LARGE = 2, 4, 10
"""Blocks of the trunk at strides 8, 16 and 32 of the full image (4, 8 and 16 of the half one)."""
BLOCK_CHANNELS = {SMALL: 24, MIDDLE: 40, LARGE: 112}
STEM_CHANNELS = 32
COARSE_CHANNELS = 128
FINE_CHANNELS = 64
GLOBAL_CHANNELS = 256


class CompactLevels(nn.Module):
    """One EfficientNet-Lite0 trunk and the heads of two levels.

    Its last two resolutions make the coarse level, its stem and first blocks the fine one.
    """

    def __init__(self) -> None:
        super().__init__()
        self.trunk = EfficientNetLite0Trunk(depth=LARGE + 1).requires_grad_(True)
        self.coarse_middle = nn.Conv2d(BLOCK_CHANNELS[MIDDLE], COARSE_CHANNELS, 1)
        self.coarse_large = nn.Conv2d(BLOCK_CHANNELS[LARGE], COARSE_CHANNELS, 1)
        self.coarse_head = nn.Sequential(
            SeparableBlock(COARSE_CHANNELS, 5), nn.Conv2d(COARSE_CHANNELS, COARSE_CHANNELS, 1)
        )
        self.fine_stem = nn.Conv2d(STEM_CHANNELS, FINE_CHANNELS, 1)
        self.fine_small = nn.Conv2d(BLOCK_CHANNELS[SMALL], FINE_CHANNELS, 1)
        self.fine_head = nn.Sequential(
            SeparableBlock(FINE_CHANNELS, 3),
            SeparableBlock(FINE_CHANNELS, 3),
            nn.Conv2d(FINE_CHANNELS, FINE_CHANNELS, 1),
        )

    def maps(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Coarse and fine maps (B, C, h, w) of standardized images, and the trunk's last ones.

        Their strides are 8, 2 and 16. None is normalized yet.
        """
        stem, blocks = self.trunk.stem_and_blocks(images)
        coarse = self.coarse_middle(blocks[MIDDLE])
        coarse = self.coarse_head(coarse + twice_as_large(self.coarse_large(blocks[LARGE]), coarse))
        fine = self.fine_stem(stem)
        fine = self.fine_head(fine + twice_as_large(self.fine_small(blocks[SMALL]), fine))
        return coarse, fine, blocks[LARGE]


class Compact(CompactLevels, FeatureNetwork):
    """Levels `coarse` (stride 16, 128 channels) and `fine` (stride 4, 64 channels).

    Everything sees the half-size image without its illumination. The trunk's last block, pooled,
    makes the global descriptor.
    """

    name = "compact"

    def default_weights(self) -> Path:
        return Path(__file__).parents[1] / "weights" / "compact.safetensors"

    def __init__(self) -> None:
        super().__init__()
        self.global_head = nn.Linear(BLOCK_CHANNELS[LARGE], GLOBAL_CHANNELS)

    @property
    def level_signatures(self) -> Mapping[str, LevelSignature]:
        return {
            "coarse": LevelSignature(stride=16, channels=COARSE_CHANNELS),
            "fine": LevelSignature(stride=4, channels=FINE_CHANNELS),
        }

    def forward(self, images: Tensor) -> DenseFeatures:
        coarse, fine, last = self.maps(standardize(normalize_local_contrast(images)))
        pooled = generalized_mean(at_least_single(last).relu() + 1e-6)
        return DenseFeatures(
            levels={
                "coarse": FeatureLevel(16, 7.5, normalize(coarse, dim=1)),
                "fine": FeatureLevel(4, 2.5, normalize(fine, dim=1)),
            },
            global_descriptor=normalize(self.global_head(pooled), dim=1),
        )


class SeparableBlock(nn.Module):
    """Each channel looks around, then all of them mix; what comes in is added."""

    def __init__(self, channels: int, kernel: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.ReLU(),
            nn.Conv2d(channels, channels, kernel, padding=kernel // 2, groups=channels),
            nn.Conv2d(channels, channels, 1),
        )

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.layers(x)
        return x + y


def twice_as_large(small: Tensor, like: Tensor) -> Tensor:
    """A map (B, C, h, w) at twice its resolution, cut or continued to the size of another."""
    height, width = like.shape[-2:]
    large = interpolate(small, scale_factor=2, mode="bilinear")[..., :height, :width]
    missing = (0, width - large.shape[-1], 0, height - large.shape[-2])
    return pad(large, missing, mode="replicate") if any(missing) else large
