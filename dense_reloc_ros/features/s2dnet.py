"""S2DNet (thesis 3.5): VGG-16 read at three depths, trained for matching."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import Tensor, nn
from torch.nn.functional import normalize

from dense_reloc_ros.features.checkpoint_format import CheckpointFormat
from dense_reloc_ros.features.extractor import DenseFeatures, LevelSignature
from dense_reloc_ros.features.level_stack import stacked_levels
from dense_reloc_ros.features.network import FeatureNetwork
from dense_reloc_ros.features.pooling import generalized_mean
from dense_reloc_ros.features.precision import at_least_single
from dense_reloc_ros.features.preprocess import standardize
from dense_reloc_ros.features.vgg16_trunk import LAYER_CHANNELS, Vgg16Trunk, imagenet_format

LAYERS = ("conv1_2", "conv3_3", "conv5_3")
"""Read after their ReLU; strides 1, 4 and 16."""
HIDDEN_CHANNELS = 64
CHANNELS = 128
"""Of each level after its adaptation."""
FINE_STRIDE, FINE_OFFSET = 2, 0.5
COARSE_CELLS = 4
"""Fine cells along a side of a coarse one."""


class S2dNet(FeatureNetwork):
    """Levels `coarse` (stride 8) and `fine` (stride 2) of 384 channels, and the three of eq. 3.3.

    `fine` lies at the centres of 2 x 2 pixels, `coarse` at those of 8 x 8; see
    `level_stack.stacked_levels`. The three levels come as they are, for the loss of eq. 3.2.

    All three layers are read after their ReLU, as thesis and paper say; the code published with
    the weights has no ReLU after conv5_3.
    """

    name = "s2dnet"

    def __init__(self) -> None:
        super().__init__()
        self.trunk = Vgg16Trunk()
        self.adaptations = nn.ModuleDict({name: _adaptation(name) for name in LAYERS})

    @property
    def level_signatures(self) -> Mapping[str, LevelSignature]:
        channels = len(LAYERS) * CHANNELS
        return {
            "coarse": LevelSignature(stride=COARSE_CELLS * FINE_STRIDE, channels=channels),
            "fine": LevelSignature(stride=FINE_STRIDE, channels=channels),
        }

    @property
    def checkpoint_formats(self) -> Sequence[CheckpointFormat]:
        trunk = {
            f"trunk.{key}": f"encoder.{key.removeprefix('layers.')}"
            for key in self.trunk.state_dict()
        }
        adaptations = {
            f"adaptations.{layer}.{key}": f"adaptation_layers.adap_layer_{index}.{key}"
            for index, layer in enumerate(LAYERS)
            for key in self.adaptations[layer].state_dict()
        }
        published = CheckpointFormat(
            name="the published S2DNet",
            keys=trunk | adaptations,
            metadata={"hypercolumn_layers": list(LAYERS)},
        )
        return (published, imagenet_format(self.trunk, "trunk."))

    def forward(self, images: Tensor) -> DenseFeatures:
        height, width = images.shape[-2:]
        outputs = self.trunk(standardize(images), LAYERS)
        layers = {
            name: layer._replace(
                values=at_least_single(self.adaptations[name](layer.values.relu()))
            )
            for name, layer in outputs.items()
        }
        levels = stacked_levels(layers, FINE_STRIDE, FINE_OFFSET, COARSE_CELLS, height, width)
        pooled = generalized_mean(at_least_single(outputs[LAYERS[-1]].values).clamp(min=1e-6))
        return DenseFeatures(levels, normalize(pooled, dim=1))


def _adaptation(layer: str) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(LAYER_CHANNELS[layer], HIDDEN_CHANNELS, 1),
        nn.ReLU(),
        nn.Conv2d(HIDDEN_CHANNELS, CHANNELS, 5, padding=2),
        nn.BatchNorm2d(CHANNELS),
    )
