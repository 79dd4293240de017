"""RootSIFT on a regular grid: the classical dense features, without anything learned."""

from __future__ import annotations

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import normalize

from dense_reloc_ros.features.extractor import (
    DenseFeatures,
    FeatureExtractor,
    FeatureLevel,
    FeatureSignature,
    LevelSignature,
)
from dense_reloc_ros.features.hypercolumn import Layer, hypercolumn
from dense_reloc_ros.features.pooling import generalized_mean
from dense_reloc_ros.features.preprocess import normalize_local_contrast
from dense_reloc_ros.features.root_sift import CHANNELS, root_sift

STRIDES = {"coarse": 8, "fine": 4}
BIN_PIXELS = {"coarse": 8.0, "fine": 4.0}
"""Sizes of the 4 x 4 spatial bins, in pixels of the half-size image."""
SIFT_BIN_SHARE = 1.5
"""Bin size relative to the size of an OpenCV keypoint."""


class DenseSift(FeatureExtractor):
    """Levels `coarse` (stride 8) and `fine` (stride 4) of 128 channels, upright, at one scale each.

    OpenCV rounds keypoints to whole pixels, so the cells lie on pixels of the half-size image that
    `normalize_local_contrast` makes. OpenCV runs on the CPU, whatever the device.
    """

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.signature = FeatureSignature(
            method="sparse_to_dense",
            network="dense_sift",
            weights_sha256="",
            levels={
                name: LevelSignature(stride=stride, channels=CHANNELS)
                for name, stride in STRIDES.items()
            },
        )

    @torch.inference_mode()
    def __call__(self, images: Tensor) -> DenseFeatures:
        height, width = images.shape[-2:]
        half = normalize_local_contrast(images).mean(1)
        greys = [np.rint(image.cpu().numpy() * 255).astype(np.uint8) for image in half]
        levels = {
            name: _level(greys, stride, BIN_PIXELS[name], height, width, self.device)
            for name, stride in STRIDES.items()
        }
        pooled = generalized_mean(levels["coarse"].values.clamp(min=1e-6))
        return DenseFeatures(levels, normalize(pooled, dim=1))


def _level(
    greys: list[NDArray[np.uint8]],
    stride: int,
    bin_pixels: float,
    height: int,
    width: int,
    device: torch.device,
) -> FeatureLevel:
    """The level of half-size images of full size (height, width)."""
    step = stride // 2
    first = step // 2
    # A pixel of the half image covers two, so its centre lies half a pixel further.
    offset = 2 * first + 0.5
    rows, columns = height // stride, width // stride
    layer = Layer(
        torch.stack([_grid(grey, rows, columns, first, step, bin_pixels) for grey in greys]),
        stride,
        offset,
    )
    values = hypercolumn([layer], stride, offset, height, width)
    return FeatureLevel(stride, offset, values.to(device))


def _grid(
    grey: NDArray[np.uint8], rows: int, columns: int, first: int, step: int, bin_pixels: float
) -> Tensor:
    """RootSIFT (128, rows, columns) of patches whose centres lie `step` apart, from `first` on."""
    size = bin_pixels / SIFT_BIN_SHARE
    keypoints = [
        cv2.KeyPoint(float(first + step * column), float(first + step * row), size, 0.0)
        for row in range(rows)
        for column in range(columns)
    ]
    _, descriptors = cv2.SIFT.create().compute(grey, keypoints)
    return root_sift(torch.from_numpy(descriptors)).T.reshape(CHANNELS, rows, columns)
