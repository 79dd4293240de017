"""RootSIFT: sparse keypoints, the same on map and query, for the classical reference."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dense_reloc_ros.features.extractor import FeatureSignature, LevelSignature

LEVEL = "root_sift"
CHANNELS = 128
KEYPOINTS = 2000
CONTRAST_THRESHOLD = 0.01
"""Lower than OpenCV's, so that dim and blurred images have keypoints, too."""
UPSCALING_SHIFT = 0.25
"""Pixels that SIFT's doubling of the image moves keypoints to the right and down in OpenCV.

Newer versions can avoid it (`enable_precise_upscale`), but not the one that ROS 2 Jazzy brings.
"""

SIGNATURE = FeatureSignature(
    method="sparse_to_sparse",
    network="root_sift",
    weights_sha256="",
    levels={LEVEL: LevelSignature(stride=1, channels=CHANNELS)},
)


@dataclass(frozen=True)
class SparseFeatures:
    """The keypoints of one image; one place can have several, with different orientations."""

    pixels: NDArray[np.float32]
    """(N, 2)."""
    descriptors: Tensor
    """(N, 128), L2-normalized."""


def detect_root_sift(image: NDArray[np.uint8]) -> SparseFeatures:
    """The strongest keypoints of an image (H, W) or (H, W, 3) RGB."""
    grey = image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    sift = cv2.SIFT.create(KEYPOINTS, contrastThreshold=CONTRAST_THRESHOLD)
    keypoints, descriptors = sift.detectAndCompute(grey, None)
    if descriptors is None:
        return SparseFeatures(np.empty((0, 2), np.float32), torch.empty(0, CHANNELS))
    pixels = np.array([keypoint.pt for keypoint in keypoints], np.float32) - UPSCALING_SHIFT
    return SparseFeatures(pixels, root_sift(torch.from_numpy(descriptors)))


def root_sift(descriptors: Tensor) -> Tensor:
    """SIFT descriptors (..., 128), not negative, as RootSIFT: L1-normalized, then the square root.

    Their dot products are Hellinger kernels (Arandjelovic and Zisserman, Three things everyone
    should know to improve object retrieval, CVPR 2012). Flat patches, all zero, stay so.
    """
    return torch.nn.functional.normalize(descriptors, p=1, dim=-1).sqrt()
