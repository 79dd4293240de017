"""Networks that can be trained, and the extractor that runs one of them with its weights."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping

import torch
from torch import Tensor, nn

from dense_reloc_ros.features.extractor import (
    DenseFeatures,
    FeatureExtractor,
    FeatureSignature,
    LevelSignature,
)


class FeatureNetwork(nn.Module, ABC):
    """Images to dense features, differentiable; brings its own preprocessing."""

    name: str
    """In the registry, configurations and map signatures."""

    @property
    @abstractmethod
    def level_signatures(self) -> Mapping[str, LevelSignature]:
        """Stride and channels of every level that `forward` returns; at least coarse and fine."""

    @abstractmethod
    def forward(self, images: Tensor) -> DenseFeatures:
        """Features of images (B, 3, H, W), RGB in [0, 1]."""

    def trunk_parameters(self) -> Iterator[nn.Parameter]:
        """Those that start from pretrained weights, by default of the module `trunk`, if any.

        Training can give them a smaller learning rate.
        """
        trunk = getattr(self, "trunk", None)
        return iter(trunk.parameters() if isinstance(trunk, nn.Module) else ())


class NetworkExtractor(FeatureExtractor):
    """A network for inference, without gradients; its weights are told apart by their sha256."""

    def __init__(self, network: FeatureNetwork, weights_sha256: str, device: torch.device) -> None:
        self._network = network.eval().requires_grad_(False).to(device)
        self._network.to(memory_format=torch.channels_last)
        self._device = device
        self._signature = FeatureSignature(
            method="sparse_to_dense",
            network=network.name,
            weights_sha256=weights_sha256,
            levels=dict(network.level_signatures),
        )

    @property
    def signature(self) -> FeatureSignature:
        return self._signature

    @property
    def device(self) -> torch.device:
        return self._device

    @torch.inference_mode()
    def __call__(self, images: Tensor) -> DenseFeatures:
        features: DenseFeatures = self._network(images)
        return features
