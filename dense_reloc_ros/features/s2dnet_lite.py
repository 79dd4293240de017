"""S2DNet (thesis 3.5) on a small trunk, with weights that ship."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from torch import Tensor, nn
from torch.nn.functional import normalize

from dense_reloc_ros.features.checkpoint_format import CheckpointFormat
from dense_reloc_ros.features.effnet_lite0 import BLOCK_OFFSETS
from dense_reloc_ros.features.extractor import DenseFeatures, LevelSignature
from dense_reloc_ros.features.hypercolumn import Layer
from dense_reloc_ros.features.level_stack import stacked_levels
from dense_reloc_ros.features.network import FeatureNetwork
from dense_reloc_ros.features.pooling import generalized_mean
from dense_reloc_ros.features.precision import at_least_single
from dense_reloc_ros.features.preprocess import normalize_local_contrast, standardize
from dense_reloc_ros.features.trunk import EfficientNetLite0Trunk

MIDDLE, LARGE = 4, 10
"""Blocks of the trunk at strides 16 and 32 of the full image (8 and 16 of the half one)."""
LAYER_CHANNELS = {"stem": 32, "middle": 40, "large": 112}
CHANNELS = 64
"""Of each level after its adaptation."""
FINE_STRIDE, FINE_OFFSET = 4, 2.5
"""The stem's own cells."""
COARSE_CELLS = 2
"""Fine cells along a side of a coarse one."""
GLOBAL_CHANNELS = 256


class S2dNetLite(FeatureNetwork):
    """Levels `coarse` (stride 8) and `fine` (stride 4) of 192 channels, and the three of eq. 3.3.

    As `S2dNet`, the strides of its levels in the same relation 1 : 4 : 8 (there 1 : 4 : 16), but of
    EfficientNet-Lite0 on the half-size image without its illumination, as `compact` sees it. The
    adaptations' wide convolutions are separable. A linear layer on the pooled trunk makes the
    global descriptor, which the paper takes from NetVLAD.
    """

    name = "s2dnet_lite"

    def __init__(self) -> None:
        super().__init__()
        self.trunk = EfficientNetLite0Trunk(depth=LARGE + 1).requires_grad_(True)
        self.adaptations = nn.ModuleDict(
            {name: _adaptation(channels) for name, channels in LAYER_CHANNELS.items()}
        )
        self.global_head = nn.Linear(LAYER_CHANNELS["large"], GLOBAL_CHANNELS)

    @property
    def checkpoint_formats(self) -> Sequence[CheckpointFormat]:
        """Those of `compact`: trunk and descriptor for retrieval, to begin training with."""
        shared = [key for key in self.state_dict() if not key.startswith("adaptations.")]
        return (
            CheckpointFormat(
                name="compact",
                keys={key: key for key in shared},
                is_trained=False,
                ignored=("coarse_", "fine_"),
            ),
        )

    def default_weights(self) -> Path:
        return Path(__file__).parents[1] / "weights" / "s2dnet_lite.safetensors"

    @property
    def level_signatures(self) -> Mapping[str, LevelSignature]:
        channels = len(LAYER_CHANNELS) * CHANNELS
        return {
            "coarse": LevelSignature(stride=COARSE_CELLS * FINE_STRIDE, channels=channels),
            "fine": LevelSignature(stride=FINE_STRIDE, channels=channels),
        }

    def forward(self, images: Tensor) -> DenseFeatures:
        height, width = images.shape[-2:]
        stem, blocks = self.trunk.stem_and_blocks(standardize(normalize_local_contrast(images)))
        outputs = {
            "stem": Layer(stem, FINE_STRIDE, FINE_OFFSET),
            "middle": _block(blocks, MIDDLE, stride=16),
            "large": _block(blocks, LARGE, stride=32),
        }
        adapted = {
            name: layer._replace(values=at_least_single(self.adaptations[name](layer.values)))
            for name, layer in outputs.items()
        }
        levels = stacked_levels(adapted, FINE_STRIDE, FINE_OFFSET, COARSE_CELLS, height, width)
        pooled = generalized_mean(at_least_single(blocks[LARGE]).relu() + 1e-6)
        return DenseFeatures(levels, normalize(self.global_head(pooled), dim=1))


def _block(blocks: list[Tensor], block: int, stride: int) -> Layer:
    """A pixel of the half image covers two, so its centre lies half a pixel further."""
    return Layer(blocks[block], stride, 2 * BLOCK_OFFSETS[block] + 0.5)


def _adaptation(channels: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(channels, CHANNELS, 1),
        nn.ReLU(),
        nn.Conv2d(CHANNELS, CHANNELS, 5, padding=2, groups=CHANNELS),
        nn.Conv2d(CHANNELS, CHANNELS, 1),
        nn.BatchNorm2d(CHANNELS),
    )
