"""The convolutions of VGG-16, which S2DHM and S2DNet take their layers from."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn
from torchvision.models import VGG16_Weights
from torchvision.models.vgg import cfgs, make_layers

from dense_reloc_ros.errors import ConfigurationError
from dense_reloc_ros.features.checkpoint_format import CheckpointFormat
from dense_reloc_ros.features.hypercolumn import Layer

LAYERS = {"conv1_2": 2, "conv3_3": 14, "conv4_1": 17, "conv4_3": 21, "conv5_1": 24, "conv5_3": 28}
"""Convolutions by their index in torchvision's `features`."""
LAYER_CHANNELS = {
    "conv1_2": 64,
    "conv3_3": 256,
    "conv4_1": 512,
    "conv4_3": 512,
    "conv5_1": 512,
    "conv5_3": 512,
}
DEPTH = max(LAYERS.values()) + 1


class Vgg16Trunk(nn.Module):
    """VGG-16 up to conv5_3, with random weights."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = make_layers(cfgs["D"], batch_norm=False)[:DEPTH]
        for layer in self.layers:
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
                nn.init.zeros_(layer.get_parameter("bias"))
            if isinstance(layer, nn.ReLU):
                layer.inplace = False  # the outputs before it are kept

    def forward(self, images: Tensor, wanted: Sequence[str]) -> dict[str, Layer]:
        """What the `wanted` convolutions give, before ReLU, of standardized images (B, 3, H, W).

        Padding is symmetric and pooling takes whole 2 x 2 blocks, so cells are centred on them.
        """
        names = {LAYERS[name]: name for name in wanted}
        outputs = {}
        x, stride = images, 1
        for index, layer in enumerate(self.layers[: max(names) + 1]):
            x = layer(x)
            if isinstance(layer, nn.MaxPool2d):
                stride *= 2
            if index in names:
                outputs[names[index]] = Layer(x, stride, (stride - 1) / 2)
        return outputs


def imagenet_format(trunk: Vgg16Trunk, prefix: str) -> CheckpointFormat:
    """torchvision's VGG-16, of which a trunk under a prefix needs the `features` only."""
    return CheckpointFormat(
        name="torchvision's VGG-16",
        keys={
            prefix + key: "features." + key.removeprefix("layers.") for key in trunk.state_dict()
        },
        is_trained=False,
        ignored=("classifier.",),
    )


def imagenet_weights() -> Path:
    """The file with torchvision's ImageNet weights, downloaded (528 MB) where it is not there yet.

    Raises:
        ConfigurationError: it is not there and cannot be downloaded; says where to put it.
    """
    url = VGG16_Weights.IMAGENET1K_V1.url
    path = Path(torch.hub.get_dir()) / "checkpoints" / Path(url).name
    if path.is_file():
        return path
    digest = path.stem.rpartition("-")[2]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        torch.hub.download_url_to_file(url, str(path), hash_prefix=digest)
    except (OSError, RuntimeError) as error:
        raise ConfigurationError(
            f"the weights of VGG-16 cannot be downloaded ({error}); get {url} and put it at {path}"
        ) from None
    return path
