"""What makes the local descriptors of both images (thesis 5.3.3, C.3.1)."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from dense_reloc_ros.features.checkpoint_format import CheckpointFormat
from dense_reloc_ros.features.compact import COARSE_CHANNELS, CompactLevels
from dense_reloc_ros.features.extractor import FeatureLevel
from dense_reloc_ros.features.nre_network import coarse_trunk
from dense_reloc_ros.features.preprocess import normalize_half_size, standardize

IMAGE_CHANNELS = 3
MIXED_6A = "Mixed_6a"


class InceptionBackbone(nn.Module):
    """As published: Inception-v3 to Mixed_6a at stride 8, and a convolution to fewer channels.

    Like NRE's coarse network it is padded so that only strides shrink; the second pooling keeps the
    resolution, which makes the stride 8 instead of 16.
    """

    stride, offset = 8, 0.0

    def __init__(self, channels: int) -> None:
        super().__init__()
        layers = coarse_trunk()
        names = list(layers._modules)
        kept = names[: names.index(MIXED_6A) + 1]
        self.trunk = nn.Sequential(OrderedDict((name, layers.get_submodule(name)) for name in kept))
        self.trunk.maxpool2 = nn.MaxPool2d(3, stride=1, padding=1)
        self.compression = nn.Conv2d(768, channels, 1)

    def frozen(self, images: Tensor) -> Tensor:
        """The images: all of this backbone learns."""
        return images

    def frozen_version(self) -> str | None:
        """None: there is nothing to keep of an image."""
        return None

    def forward(self, images: Tensor) -> FeatureLevel:
        """Descriptors (B, C, H / 8, W / 8) of images (B, 3, H, W), RGB in [0, 1]."""
        values = self.compression(self.trunk(standardize(images)))
        return FeatureLevel(self.stride, self.offset, values)

    def trunk_parameters(self) -> Iterator[nn.Parameter]:
        """Those that ImageNet's weights give."""
        return iter(self.trunk.parameters())

    def pretrained(self, prefix: str) -> CheckpointFormat:
        """torchvision's Inception-v3 of ImageNet, for a network with this module at `prefix`."""
        names = self.trunk.state_dict()
        later = ("Mixed_6b.", "Mixed_6c.", "Mixed_6d.", "Mixed_6e.", "Mixed_7", "AuxLogits.", "fc.")
        return CheckpointFormat(
            "torchvision's Inception-v3",
            {f"{prefix}trunk.{name}": name for name in names},
            is_trained=False,
            ignored=later,
        )


class CompactBackbone(nn.Module):
    """The coarse level of `compact` as it is, and a convolution that halves its resolution.

    Images have half the size that `compact` is used with, as it would halve them: the level has
    stride 8 of them, the descriptors 16. Trunk and heads do not learn, so that training computes
    them once for each image (`frozen`), and this network keeps its own copy of their weights.
    """

    stride, offset = 16, 7.5

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.compact = CompactLevels().requires_grad_(False)
        self.compression = nn.Conv2d(COARSE_CHANNELS, channels, 4, stride=2, padding=1)

    @torch.no_grad()
    def frozen(self, images: Tensor) -> Tensor:
        """The coarse level (B, 128, H / 8, W / 8) of images (B, 3, H, W), RGB in [0, 1]."""
        coarse, _, _ = self.compact.maps(standardize(normalize_half_size(images)))
        return normalize(coarse, dim=1)

    def frozen_version(self) -> str | None:
        """A name that changes with the weights that `frozen` depends on."""
        content = hashlib.sha256()
        for value in self.compact.state_dict().values():
            content.update(value.cpu().numpy().tobytes())
        return f"compact-{content.hexdigest()[:12]}"

    def forward(self, inputs: Tensor) -> FeatureLevel:
        """Descriptors (B, C, H / 16, W / 16) of images, or of what `frozen` gave of them.

        The 4 x 4 kernel lies around the middle of 2 x 2 cells: pixel 16 i + 7.5.
        """
        level = self.frozen(inputs) if inputs.shape[1] == IMAGE_CHANNELS else inputs
        return FeatureLevel(self.stride, self.offset, self.compression(level))

    def trunk_parameters(self) -> Iterator[nn.Parameter]:
        """Those of `compact`: trunk and heads."""
        return self.compact.parameters()

    def pretrained(self, prefix: str) -> CheckpointFormat:
        """The weights of the network `compact`, for a network with this module at `prefix`."""
        return CheckpointFormat(
            "compact",
            {f"{prefix}compact.{name}": name for name in self.compact.state_dict()},
            is_trained=False,
            ignored=("global_head.",),
        )
