"""S2DHM (thesis 3.4): hypercolumns of VGG-16, and NetVLAD for retrieval on the same trunk."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.functional import interpolate, normalize

from dense_reloc_ros.features.checkpoint_format import CheckpointFormat
from dense_reloc_ros.features.extractor import DenseFeatures, FeatureLevel, LevelSignature
from dense_reloc_ros.features.hypercolumn import Layer, hypercolumn
from dense_reloc_ros.features.netvlad import NetVladHead, fit_pca
from dense_reloc_ros.features.network import FeatureNetwork
from dense_reloc_ros.features.pooling import generalized_mean
from dense_reloc_ros.features.precision import at_least_single
from dense_reloc_ros.features.preprocess import normalize_local_contrast, standardize
from dense_reloc_ros.features.vgg16_trunk import (
    LAYER_CHANNELS,
    Vgg16Trunk,
    imagenet_format,
    imagenet_weights,
)

LAYERS = ("conv3_3", "conv4_1", "conv4_3", "conv5_1", "conv5_3")
FINE_LAYER = "conv3_3"
LAST_LAYER = "conv5_3"
SAMPLES_PER_IMAGE = 200
"""Local descriptors of an image that NetVLAD's clusters are found in."""


class S2dhm(FeatureNetwork):
    """Levels `coarse` (stride 8, 2304 channels, all five layers) and `fine` (stride 4, conv3_3).

    The five layers are levels of their own, too, for losses that work on each of them (Xue et al.).
    The global descriptor is NetVLAD's (1024 values), or GeM of conv5_3 (512 values) where the
    weights are ImageNet's, which say nothing about NetVLAD.
    """

    name = "s2dhm"

    def __init__(self) -> None:
        super().__init__()
        self.trunk = Vgg16Trunk()
        self.netvlad: NetVladHead | None = NetVladHead(LAYER_CHANNELS[LAST_LAYER])

    @property
    def level_signatures(self) -> Mapping[str, LevelSignature]:
        return {
            "coarse": LevelSignature(stride=8, channels=sum(LAYER_CHANNELS[n] for n in LAYERS)),
            "fine": LevelSignature(stride=4, channels=LAYER_CHANNELS[FINE_LAYER]),
        }

    @property
    def checkpoint_formats(self) -> Sequence[CheckpointFormat]:
        return (imagenet_format(self.trunk, "trunk."),)

    def default_weights(self) -> Path:
        return imagenet_weights()

    def use_untrained(self, weights: Path) -> None:
        """Retrieves by GeM instead of NetVLAD: hypercolumns of ImageNet are good enough."""
        self.netvlad = None

    def forward(self, images: Tensor) -> DenseFeatures:
        height, width = images.shape[-2:]
        layers = self._layers(images)
        coarse = hypercolumn([layers[name] for name in LAYERS], 8, 3.5, height, width)
        fine = hypercolumn([layers[FINE_LAYER]], 4, 1.5, height, width)
        levels = {
            "coarse": FeatureLevel(8, 3.5, coarse),
            "fine": FeatureLevel(4, 1.5, fine),
        }
        for name, layer in layers.items():
            values = normalize(at_least_single(layer.values), dim=1)
            levels[name] = FeatureLevel(layer.stride, layer.offset, values)
        return DenseFeatures(levels, self._global_descriptor(layers[LAST_LAYER].values))

    def begin_training(self, images: Callable[[], Iterable[Tensor]]) -> None:
        """Fits NetVLAD, if there is one."""
        if self.netvlad is not None:
            self.fit_netvlad(images)

    @torch.no_grad()
    def fit_netvlad(self, images: Callable[[], Iterable[Tensor]], seed: int = 0) -> None:
        """Fits the clusters of NetVLAD, then its PCA, before training or to images of a map.

        `images` gives batches (B, 3, H, W), the same ones each time that it is called.

        Raises:
            ValueError: there are fewer local descriptors than clusters, or no NetVLAD.
        """
        if self.netvlad is None:
            raise ValueError("this network retrieves by GeM: there is no NetVLAD to fit")
        generator = torch.Generator().manual_seed(seed)
        samples = []
        for batch in images():
            local = normalize(at_least_single(self._layers(batch)[LAST_LAYER].values), dim=1)
            for one in local.flatten(2).mT:
                chosen = torch.randperm(len(one), generator=generator)[:SAMPLES_PER_IMAGE]
                samples.append(one[chosen.to(one.device)])
        netvlad = self.netvlad.netvlad
        netvlad.fit(torch.cat(samples), seed)
        pooled = [netvlad(self._layers(batch)[LAST_LAYER].values) for batch in images()]
        fit_pca(self.netvlad.pca, torch.cat(pooled))

    def _layers(self, images: Tensor) -> dict[str, Layer]:
        full = interpolate(normalize_local_contrast(images), images.shape[-2:], mode="bilinear")
        layers: dict[str, Layer] = self.trunk(standardize(full), LAYERS)
        return layers

    def _global_descriptor(self, maps: Tensor) -> Tensor:
        if self.netvlad is not None:
            descriptor: Tensor = self.netvlad(maps)
            return descriptor
        return normalize(generalized_mean(at_least_single(maps).clamp(min=1e-6)), dim=1)
