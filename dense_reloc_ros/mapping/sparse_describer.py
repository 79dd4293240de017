"""Describes keyframes by RootSIFT keypoints, as the classical reference needs them."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from dense_reloc_ros.features.extractor import FeatureSignature
from dense_reloc_ros.features.root_sift import LEVEL, SIGNATURE, SparseFeatures, detect_root_sift
from dense_reloc_ros.features.vlad import train_vocabulary, vlad
from dense_reloc_ros.mapping.describing import KeyframeDescription, Vocabulary

WORDS = 64
VOCABULARY_SAMPLES = 20_000
KNOWN_POINT_PIXELS = 2.0
"""A keypoint this near a known point shows it."""


class RootSiftDescriber:
    """Keypoints where SIFT finds them; VLAD of all keypoints of the image."""

    @property
    def signature(self) -> FeatureSignature:
        return SIGNATURE

    def train_vocabulary(self, images: Iterable[NDArray[np.uint8]]) -> Vocabulary:
        """The VLAD vocabulary of the descriptors of images of the map."""
        descriptors = torch.cat([detect_root_sift(image).descriptors for image in images])
        generator = torch.Generator().manual_seed(0)
        chosen = torch.randperm(len(descriptors), generator=generator)[:VOCABULARY_SAMPLES]
        return {"vlad": train_vocabulary(descriptors[chosen], WORDS)}

    def describe(
        self, image: NDArray[np.uint8], usable: NDArray[np.bool_], vocabulary: Vocabulary
    ) -> KeyframeDescription:
        """The keypoints of an image (H, W, 3) where it is `usable` (H, W)."""
        features = detect_root_sift(image)
        columns, rows = np.rint(features.pixels).astype(np.int64).T
        height, width = usable.shape
        chosen = usable[rows.clip(0, height - 1), columns.clip(0, width - 1)]
        return _description(features, np.flatnonzero(chosen), features.pixels[chosen], vocabulary)

    def describe_at(
        self, image: NDArray[np.uint8], pixels: NDArray[np.float32], vocabulary: Vocabulary
    ) -> tuple[NDArray[np.int64], KeyframeDescription]:
        """Known pixels (N, 2) with a keypoint nearby, each keypoint used for the nearest one."""
        features = detect_root_sift(image)
        distances, keypoints = cKDTree(features.pixels).query(
            pixels, distance_upper_bound=KNOWN_POINT_PIXELS
        )
        nearest_first = np.argsort(distances, kind="stable")
        nearest_first = nearest_first[np.isfinite(distances[nearest_first])]
        _, first = np.unique(keypoints[nearest_first], return_index=True)
        described = np.sort(nearest_first[first])
        return described, _description(
            features, keypoints[described], pixels[described], vocabulary
        )


def _description(
    features: SparseFeatures,
    keypoints: NDArray[np.int64],
    pixels: NDArray[np.float32],
    vocabulary: Vocabulary,
) -> KeyframeDescription:
    return KeyframeDescription(
        pixels,
        {LEVEL: features.descriptors[torch.from_numpy(keypoints)]},
        {"vlad": vlad(features.descriptors, vocabulary["vlad"])},
    )
