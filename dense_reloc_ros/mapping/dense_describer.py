"""Describes keyframes by dense features, read where the keypoints are (thesis 3.4)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from dense_reloc_ros.features.extractor import (
    DenseFeatures,
    FeatureExtractor,
    FeatureSignature,
    image_to_tensor,
)
from dense_reloc_ros.mapping.describing import KeyframeDescription, Vocabulary
from dense_reloc_ros.mapping.keypoints import detect_corners
from dense_reloc_ros.retrieval.index import describe, train_vocabulary

KEYPOINTS = 500
"""Corners of a keyframe."""


@dataclass(frozen=True)
class DenseDescriber:
    """Corners, each with the descriptor of every dense level there."""

    extractor: FeatureExtractor
    keypoints: int = KEYPOINTS

    @property
    def signature(self) -> FeatureSignature:
        return self.extractor.signature

    def train_vocabulary(self, images: Iterable[NDArray[np.uint8]]) -> Vocabulary:
        """The vocabulary of the dense features of images of the map."""
        return train_vocabulary(self._features(image) for image in images)

    def describe(
        self, image: NDArray[np.uint8], usable: NDArray[np.bool_], vocabulary: Vocabulary
    ) -> KeyframeDescription:
        """The corners of an image (H, W, 3) where it is `usable` (H, W)."""
        pixels = detect_corners(image, usable, self.keypoints)
        return self.describe_at(image, pixels, vocabulary)[1]

    def describe_at(
        self, image: NDArray[np.uint8], pixels: NDArray[np.float32], vocabulary: Vocabulary
    ) -> tuple[NDArray[np.int64], KeyframeDescription]:
        """Any pixels (N, 2) can be described: dense features are everywhere."""
        features = self._features(image)
        where = torch.from_numpy(pixels)
        with torch.inference_mode():
            descriptors = {name: level.sample(where) for name, level in features.levels.items()}
            retrieval = describe(features, vocabulary)
        return np.arange(len(pixels)), KeyframeDescription(pixels, descriptors, retrieval)

    def _features(self, image: NDArray[np.uint8]) -> DenseFeatures:
        """The dense features of an image (H, W, 3) RGB."""
        with torch.inference_mode():
            return self.extractor(image_to_tensor(image, self.extractor.device))
