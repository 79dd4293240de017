"""Networks that can be trained, and the extractor that runs one of them with its weights."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from dense_reloc_ros.errors import ConfigurationError
from dense_reloc_ros.features.checkpoint_format import CheckpointFormat
from dense_reloc_ros.features.extractor import (
    DenseFeatures,
    FeatureExtractor,
    FeatureSignature,
    LevelSignature,
)


class TrainableNetwork(nn.Module, ABC):
    """What has weights in files and can be trained."""

    name: str
    """In the registry, configurations and map signatures."""

    @property
    def checkpoint_formats(self) -> Sequence[CheckpointFormat]:
        """Files of others that `load_weights` reads besides this project's own."""
        return ()

    def default_weights(self) -> Path:
        """The file with the weights that the network has where none are named.

        Raises:
            ConfigurationError: there are none; says what to do.
        """
        raise ConfigurationError(
            f"network '{self.name}' has no weights of its own: name a file (--weights, or the "
            "parameter features.weights), for example one that `dense-reloc train` has written"
        )

    def use_untrained(self, weights: Path) -> None:
        """Makes do with a trunk whose weights come from another task, like ImageNet's.

        Raises:
            ConfigurationError: features of this network are worth nothing without training.
        """
        raise ConfigurationError(
            f"{weights}: good to begin the training of '{self.name}' with, but its own layers "
            "would be random; train it first (`dense-reloc train`)"
        )

    def trunk_parameters(self) -> Iterator[nn.Parameter]:
        """Those that start from pretrained weights, by default of the module `trunk`, if any.

        Training can give them a smaller learning rate, or leave them as they are.
        """
        trunk = getattr(self, "trunk", None)
        return iter(trunk.parameters() if isinstance(trunk, nn.Module) else ())


class FeatureNetwork(TrainableNetwork):
    """Images to dense features, differentiable; brings its own preprocessing."""

    @property
    @abstractmethod
    def level_signatures(self) -> Mapping[str, LevelSignature]:
        """Stride and channels of the levels that maps are made of, coarse and fine.

        `forward` may return more for losses, not all of them L2-normalized.
        """

    @abstractmethod
    def forward(self, images: Tensor) -> DenseFeatures:
        """Features of images (B, 3, H, W), RGB in [0, 1]."""

    def begin_training(self, images: Callable[[], Iterable[Tensor]]) -> None:
        """Fits to images what training should not begin with at random; most have no such thing.

        `images` gives batches (B, 3, H, W), the same ones each time that it is called.
        """


class NetworkExtractor(FeatureExtractor):
    """A network for inference, without gradients; its weights are told apart by their sha256."""

    def __init__(self, network: FeatureNetwork, weights_sha256: str, device: torch.device) -> None:
        self._network = network.eval().requires_grad_(False).to(device)
        self._network.to(memory_format=torch.channels_last)
        self.device = device
        self.signature = FeatureSignature(
            method="sparse_to_dense",
            network=network.name,
            weights_sha256=weights_sha256,
            levels=dict(network.level_signatures),
        )

    @torch.inference_mode()
    def __call__(self, images: Tensor) -> DenseFeatures:
        features: DenseFeatures = self._network(images)
        levels = {name: features.levels[name] for name in self.signature.levels}
        return DenseFeatures(levels, features.global_descriptor)
