"""The coarse and the fine network of NRE (thesis B.2.1): two truncated Inception-v3."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from dense_reloc_ros.features.checkpoint_format import CheckpointFormat, State
from dense_reloc_ros.features.extractor import DenseFeatures, FeatureLevel, LevelSignature
from dense_reloc_ros.features.network import FeatureNetwork
from dense_reloc_ros.features.pooling import generalized_mean
from dense_reloc_ros.features.precision import at_least_single
from dense_reloc_ros.features.preprocess import IMAGENET_DEVIATION, IMAGENET_MEAN, standardize

STRIDES = {"coarse": 16, "fine": 2}
CHANNELS = {"coarse": 1280, "fine": 288}


class NreNetwork(FeatureNetwork):
    """Levels `coarse` (stride 16, 1280 channels) and `fine` (stride 2, 288 channels).

    All strided layers are padded by one, so cell 0 of both lies at pixel 0. The thesis ends the
    coarse trunk at Mixed_6e, which sees the 927 pixels that it says, but its 1280 channels, and
    those of the published weights, are Mixed_7a's. It correlates the outputs of the batch norms as
    they are; here they are L2-normalized, and the temperature that is calibrated on the map stands
    for their norms. The global descriptor, for which it has another network, is GeM of the coarse
    trunk.
    """

    name = "nre"

    def __init__(self) -> None:
        super().__init__()
        self.coarse = _Branch(coarse_trunk(), CHANNELS["coarse"])
        self.fine = _Branch(fine_trunk(), CHANNELS["fine"])

    @property
    def level_signatures(self) -> Mapping[str, LevelSignature]:
        return {
            name: LevelSignature(stride=STRIDES[name], channels=CHANNELS[name]) for name in STRIDES
        }

    @property
    def checkpoint_formats(self) -> Sequence[CheckpointFormat]:
        """A folder with both published files, or torchvision's Inception-v3 for both trunks."""
        numbered, named = {}, {}
        for level, branch in (("coarse", self.coarse), ("fine", self.fine)):
            # The published files number the layers of the trunk and the two that follow it.
            modules = [*branch.trunk._modules, "convolution", "norm"]
            for key in branch.state_dict():
                module, _, tensor = key.removeprefix("trunk.").partition(".")
                numbered[f"{level}.{key}"] = (level, f"{modules.index(module)}.{tensor}")
                if key.startswith("trunk."):
                    named[f"{level}.{key}"] = f"{module}.{tensor}"
        published = [
            CheckpointFormat(
                "the published NRE",
                {key: f"{level}.{prefix}{name}" for key, (level, name) in numbered.items()},
            )
            for prefix in ("", "cnn.")  # the latter in checkpoints of the code that trained it
        ]
        imagenet = CheckpointFormat(
            "torchvision's Inception-v3",
            named,
            is_trained=False,
            ignored=("Mixed_7b.", "Mixed_7c.", "AuxLogits.", "fc."),
            convert=_for_standardized_images,
        )
        return (*published, imagenet)

    def trunk_parameters(self) -> Iterator[nn.Parameter]:
        yield from self.coarse.trunk.parameters()
        yield from self.fine.trunk.parameters()

    def forward(self, images: Tensor) -> DenseFeatures:
        standardized = standardize(images)
        trunk = self.coarse.trunk(standardized)
        values = {"coarse": self.coarse.describe(trunk), "fine": self.fine(standardized)}
        pooled = generalized_mean(at_least_single(trunk).clamp(min=1e-6))
        return DenseFeatures(
            levels={
                name: FeatureLevel(stride, 0.0, normalize(at_least_single(values[name]), dim=1))
                for name, stride in STRIDES.items()
            },
            global_descriptor=normalize(pooled, dim=1),
        )


class _Branch(nn.Module):
    """A trunk, a convolution that mixes its channels, and a batch norm."""

    def __init__(self, trunk: nn.Sequential, channels: int) -> None:
        super().__init__()
        self.trunk = trunk
        self.convolution = nn.Conv2d(channels, channels, 1, bias=False)
        self.norm = nn.BatchNorm2d(channels)

    def forward(self, images: Tensor) -> Tensor:
        return self.describe(self.trunk(images))

    def describe(self, maps: Tensor) -> Tensor:
        """Descriptors (B, C, h, w) of what the trunk gives."""
        descriptors: Tensor = self.norm(self.convolution(maps))
        return descriptors


def coarse_trunk() -> nn.Sequential:
    """Inception-v3 up to Mixed_7a, with stride 16."""
    # Here and not above, and so below: its import takes seconds, and brings torch's compiler.
    from dense_reloc_ros.features.inception_trunks import up_to_mixed_7a

    return up_to_mixed_7a()


def fine_trunk() -> nn.Sequential:
    """Inception-v3 up to Mixed_5d, with stride 2."""
    from dense_reloc_ros.features.inception_trunks import up_to_mixed_5d

    return up_to_mixed_5d()


def _for_standardized_images(state: State) -> State:
    """ImageNet's weights for these trunks.

    torchvision's Inception-v3 sees 2 x - 1 for x in [0, 1], these see x standardized by ImageNet's
    mean and deviation: the first convolution and its batch norm take up the difference. The 1 x 1
    kernel of Conv2d_3b becomes the centre of the fine trunk's 3 x 3.
    """
    mean, deviation = torch.tensor(IMAGENET_MEAN), torch.tensor(IMAGENET_DEVIATION)
    converted = dict(state)
    for level in STRIDES:
        first = f"{level}.trunk.Conv2d_1a_3x3."
        kernel = state[first + "conv.weight"]
        converted[first + "conv.weight"] = kernel * (2 * deviation)[:, None, None]
        shift = (kernel.sum((2, 3)) * (2 * mean - 1)).sum(1)
        converted[first + "bn.running_mean"] = state[first + "bn.running_mean"] - shift
    widened = "fine.trunk.Conv2d_3b_1x1.conv.weight"
    converted[widened] = nn.functional.pad(state[widened], (1, 1, 1, 1))
    return converted
