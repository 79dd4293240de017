"""The coarse and the fine network of NRE (thesis B.2.1): two truncated Inception-v3."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import max_pool2d, normalize
from torchvision.models.inception import (
    BasicConv2d,
    InceptionA,
    InceptionB,
    InceptionC,
    InceptionD,
)

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
    """Inception-v3 up to Mixed_7a, where it has stride 16, padded so that only strides shrink."""
    return nn.Sequential(
        OrderedDict(
            Conv2d_1a_3x3=BasicConv2d(3, 32, kernel_size=3, stride=2, padding=1),
            Conv2d_2a_3x3=BasicConv2d(32, 32, kernel_size=3, padding=1),
            Conv2d_2b_3x3=BasicConv2d(32, 64, kernel_size=3, padding=1),
            maxpool1=nn.MaxPool2d(3, stride=2, padding=1),
            Conv2d_3b_1x1=BasicConv2d(64, 80, kernel_size=1),
            Conv2d_4a_3x3=BasicConv2d(80, 192, kernel_size=3, padding=1),
            maxpool2=nn.MaxPool2d(3, stride=2, padding=1),
            **_mixed_5(),
            Mixed_6a=_PaddedInceptionB(288),
            Mixed_6b=InceptionC(768, channels_7x7=128),
            Mixed_6c=InceptionC(768, channels_7x7=160),
            Mixed_6d=InceptionC(768, channels_7x7=160),
            Mixed_6e=InceptionC(768, channels_7x7=192),
            Mixed_7a=_UnstridedInceptionD(768),
        )
    )


def fine_trunk() -> nn.Sequential:
    """Inception-v3 up to Mixed_5d without pooling; Conv2d_3b looks at 3 x 3, despite its name."""
    return nn.Sequential(
        OrderedDict(
            Conv2d_1a_3x3=BasicConv2d(3, 32, kernel_size=3, stride=2, padding=1),
            Conv2d_2a_3x3=BasicConv2d(32, 32, kernel_size=3, padding=1),
            Conv2d_2b_3x3=BasicConv2d(32, 64, kernel_size=3, padding=1),
            Conv2d_3b_1x1=BasicConv2d(64, 80, kernel_size=3, padding=1),
            Conv2d_4a_3x3=BasicConv2d(80, 192, kernel_size=3, padding=1),
            **_mixed_5(),
        )
    )


def _mixed_5() -> dict[str, nn.Module]:
    return {
        "Mixed_5b": InceptionA(192, pool_features=32),
        "Mixed_5c": InceptionA(256, pool_features=64),
        "Mixed_5d": InceptionA(288, pool_features=64),
    }


class _PaddedInceptionB(InceptionB):  # type: ignore[misc]
    """The block that halves the resolution, padded by one, so that nothing else is lost."""

    def __init__(self, in_channels: int) -> None:
        super().__init__(in_channels)
        self.branch3x3.conv.padding = (1, 1)
        self.branch3x3dbl_3.conv.padding = (1, 1)

    def _forward(self, x: Tensor) -> list[Tensor]:
        double = self.branch3x3dbl_3(self.branch3x3dbl_2(self.branch3x3dbl_1(x)))
        return [self.branch3x3(x), double, max_pool2d(x, 3, stride=2, padding=1)]


class _UnstridedInceptionD(InceptionD):  # type: ignore[misc]
    """The block that would halve the resolution, kept at it: what it pooled passes as it is."""

    def __init__(self, in_channels: int) -> None:
        super().__init__(in_channels)
        for last in (self.branch3x3_2.conv, self.branch7x7x3_4.conv):
            last.stride, last.padding = (1, 1), (1, 1)

    def _forward(self, x: Tensor) -> list[Tensor]:
        narrow = self.branch3x3_2(self.branch3x3_1(x))
        wide = self.branch7x7x3_3(self.branch7x7x3_2(self.branch7x7x3_1(x)))
        return [narrow, self.branch7x7x3_4(wide), x]


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
