"""What makes the local descriptors of both images (thesis 5.3.3, C.3.1)."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from dense_reloc_ros.errors import ConfigurationError
from dense_reloc_ros.features.checkpoint_format import CheckpointFormat
from dense_reloc_ros.features.compact import COARSE_CHANNELS, Compact
from dense_reloc_ros.features.extractor import FeatureLevel
from dense_reloc_ros.features.nre_network import coarse_trunk
from dense_reloc_ros.features.preprocess import normalize_half_size, standardize
from dense_reloc_ros.features.weights import load_weights

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

    def check_features(self, weights: Path) -> None:
        """Nothing to check: all of this backbone is in its weights."""

    def pretrained(self, prefix: str) -> Sequence[CheckpointFormat]:
        """torchvision's Inception-v3 of ImageNet, for a network with this module at `prefix`."""
        names = self.trunk.state_dict()
        later = ("Mixed_6b.", "Mixed_6c.", "Mixed_6d.", "Mixed_6e.", "Mixed_7", "AuxLogits.", "fc.")
        found = CheckpointFormat(
            "torchvision's Inception-v3",
            {f"{prefix}trunk.{name}": name for name in names},
            is_trained=False,
            ignored=later,
        )
        return (found,)


class CompactBackbone(nn.Module):
    """The coarse level of `compact` as it is, and a convolution that halves its resolution.

    Images have half the size that `compact` is used with, as it would halve them: the level has
    stride 8 of them, the descriptors 16. What `compact` gives does not learn, so that training
    computes it once for each image (`frozen`). Its weights are those of the package and no part of
    this network's, which keeps their hash.
    """

    stride, offset = 16, 7.5
    features_sha256: Tensor
    """(32,) uint8: of the weights of `compact` that this network has learned on."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        compact = Compact()
        sha256 = load_weights(compact, compact.default_weights()).sha256
        digest = torch.tensor(list(bytes.fromhex(sha256)), dtype=torch.uint8)
        self._own_features = sha256
        self.register_buffer("features_sha256", digest)
        # A module in a tuple is no part of this one: neither saved, nor trained, nor counted.
        self._compact = (compact.eval().requires_grad_(False),)
        self.compression = nn.Conv2d(COARSE_CHANNELS, channels, 2, stride=2)

    @torch.no_grad()
    def frozen(self, images: Tensor) -> Tensor:
        """The coarse level (B, 128, H / 8, W / 8) of images (B, 3, H, W), RGB in [0, 1]."""
        compact = self._compact[0].to(images.device)
        coarse, _, _ = compact.maps(standardize(normalize_half_size(images)))
        return normalize(coarse, dim=1)

    def frozen_version(self) -> str | None:
        """A name that changes with the weights that `frozen` depends on."""
        return f"compact-{self._own_features[:12]}"

    def check_features(self, weights: Path) -> None:
        """Raises ConfigurationError if these `weights` have learned on another `compact`."""
        if bytes(self.features_sha256.tolist()).hex() != self._own_features:
            raise ConfigurationError(
                f"{weights}: learned on other weights of 'compact' than this package has; train "
                "anew (`dense-reloc train`)"
            )

    def level(self, inputs: Tensor) -> Tensor:
        """What `frozen` gives of images; inputs that it has given stay as they are."""
        return self.frozen(inputs) if inputs.shape[1] == IMAGE_CHANNELS else inputs

    def forward(self, inputs: Tensor) -> FeatureLevel:
        """Descriptors (B, C, H / 16, W / 16) of images, or of what `frozen` gave of them.

        The middle of 2 x 2 cells is pixel 16 i + 7.5.
        """
        return FeatureLevel(self.stride, self.offset, self.compression(self.level(inputs)))

    def trunk_parameters(self) -> Iterator[nn.Parameter]:
        """None: `compact` is no part of this network."""
        return iter(())

    def pretrained(self, prefix: str) -> Sequence[CheckpointFormat]:
        """None."""
        return ()
