"""Hypercolumns of VGG-16 as in S2DHM (thesis 3.4.3): the five layers that it was published with."""

from __future__ import annotations

import pickle
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, normalize
from torchvision.models import VGG16_Weights, vgg16

from dense_reloc_ros.errors import ConfigurationError
from dense_reloc_ros.features.extractor import (
    DenseFeatures,
    FeatureExtractor,
    FeatureLevel,
    FeatureSignature,
    LevelSignature,
)
from dense_reloc_ros.features.hypercolumn import Layer, hypercolumn
from dense_reloc_ros.features.pooling import generalized_mean
from dense_reloc_ros.features.preprocess import normalize_local_contrast, standardize
from dense_reloc_ros.features.trunk import weights_sha256

LAYER_STRIDES = {14: 4, 17: 8, 21: 8, 24: 16, 28: 16}
"""conv_3_3, conv_4_1, conv_4_3, conv_5_1, conv_5_3 by their index in torchvision's `features`."""
FINE_LAYER = 14
DEPTH = max(LAYER_STRIDES) + 1


class Vgg16(FeatureExtractor):
    """Levels `coarse` (stride 8, 2304 channels, all five layers) and `fine` (stride 4, conv_3_3).

    The weights are those of ImageNet that torchvision downloads, or those in a file with the state
    of torchvision's `vgg16`, of which the `features` are enough.

    Raises:
        ConfigurationError: weights that cannot be downloaded or read, or are not those of VGG-16.
    """

    def __init__(self, device: torch.device, weights: Path | None = None) -> None:
        self._device = device
        path = imagenet_weights() if weights is None else weights
        self._layers = _load_layers(path).eval().requires_grad_(False)
        self._layers.to(device).to(memory_format=torch.channels_last)
        self._signature = FeatureSignature(
            method="sparse_to_dense",
            network="vgg16",
            weights_sha256=weights_sha256(path),
            levels={
                "coarse": LevelSignature(stride=8, channels=2304),
                "fine": LevelSignature(stride=4, channels=256),
            },
        )

    @property
    def signature(self) -> FeatureSignature:
        return self._signature

    @property
    def device(self) -> torch.device:
        return self._device

    @torch.inference_mode()
    def __call__(self, images: Tensor) -> DenseFeatures:
        height, width = images.shape[-2:]
        half = normalize_local_contrast(images)
        outputs = self.outputs(standardize(interpolate(half, (height, width), mode="bilinear")))
        # Padding is symmetric and pooling takes whole 2 x 2 blocks, so cells are centred on them.
        layers = [
            Layer(outputs[index], stride, (stride - 1) / 2)
            for index, stride in LAYER_STRIDES.items()
        ]
        fine = Layer(outputs[FINE_LAYER], 4, 1.5)
        pooled = generalized_mean(outputs[max(LAYER_STRIDES)].clamp(min=1e-6))
        return DenseFeatures(
            levels={
                "coarse": FeatureLevel(8, 3.5, hypercolumn(layers, 8, 3.5, height, width)),
                "fine": FeatureLevel(4, 1.5, hypercolumn([fine], 4, 1.5, height, width)),
            },
            global_descriptor=normalize(pooled, dim=1),
        )

    def outputs(self, images: Tensor) -> dict[int, Tensor]:
        """What the five convolutions give, before ReLU, of standardized images (B, 3, H, W)."""
        outputs = {}
        x = images
        for index, layer in enumerate(self._layers):
            x = layer(x)
            if index in LAYER_STRIDES:
                outputs[index] = x
        return outputs


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


def _load_layers(path: Path) -> nn.Sequential:
    """VGG-16 up to conv_5_3 with the weights of a file."""
    with torch.device("meta"):
        layers = nn.Sequential(*list(vgg16().features)[:DEPTH])
    prefix = "features."
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        state = {
            name.removeprefix(prefix): value
            for name, value in state.items()
            if name.removeprefix(prefix) in layers.state_dict()
        }
        layers.load_state_dict(state, assign=True)
    except OSError as error:
        raise ConfigurationError(f"{path}: {error.strerror or error}") from None
    except (RuntimeError, pickle.UnpicklingError, AttributeError, EOFError, TypeError):
        raise ConfigurationError(f"{path}: these are not the weights of VGG-16") from None
    for layer in layers:
        if isinstance(layer, nn.ReLU):
            layer.inplace = False  # the outputs before it are kept
    return layers
