"""What a map stores of a keyframe's image: where its points are, and what they look like."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from dense_reloc_ros.features.extractor import FeatureSignature

Vocabulary = Mapping[str, Tensor]
"""What retrieval learned from the images of a map, by name."""


@dataclass(frozen=True)
class KeyframeDescription:
    """N keypoints of an image with a descriptor each, and global descriptors of the image."""

    pixels: NDArray[np.float32]
    """(N, 2)."""
    descriptors: Mapping[str, Tensor]
    """Level name to (N, C), L2-normalized."""
    retrieval: Mapping[str, Tensor]
    """Name of the global descriptor to (D,)."""

    def stored(self) -> KeyframeDescription:
        """The description as a map holds it: on the CPU, descriptors in half precision."""
        return KeyframeDescription(
            self.pixels,
            {name: value.cpu().half() for name, value in self.descriptors.items()},
            {name: value.cpu() for name, value in self.retrieval.items()},
        )


class KeyframeDescriber(Protocol):
    """Detects and describes the keypoints of keyframes; images are (H, W, 3) RGB, undistorted."""

    @property
    def signature(self) -> FeatureSignature:
        """Goes into the map: only queries described by the same may be compared with it."""

    def train_vocabulary(self, images: Iterable[NDArray[np.uint8]]) -> Vocabulary:
        """What `describe` needs for the global descriptors, learned from images of the map."""

    def describe(
        self, image: NDArray[np.uint8], usable: NDArray[np.bool_], vocabulary: Vocabulary
    ) -> KeyframeDescription:
        """Keypoints that the describer finds where the image is `usable` (H, W)."""

    def describe_at(
        self, image: NDArray[np.uint8], pixels: NDArray[np.float32], vocabulary: Vocabulary
    ) -> tuple[NDArray[np.int64], KeyframeDescription]:
        """The keypoints at known pixels (N, 2): which of them can be described, (M,), and how."""
