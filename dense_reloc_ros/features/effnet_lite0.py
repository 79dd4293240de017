"""Hypercolumns (thesis 3.4.3) of the ImageNet-trained EfficientNet-Lite0: works out of the box."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import interpolate, normalize

from dense_reloc_ros.features.extractor import (
    DenseFeatures,
    FeatureExtractor,
    FeatureLevel,
    FeatureSignature,
    LevelSignature,
)
from dense_reloc_ros.features.hypercolumn import Layer, hypercolumn
from dense_reloc_ros.features.pooling import generalized_mean
from dense_reloc_ros.features.preprocess import (
    gaussian_blur,
    normalize_local_contrast,
    standardize,
)
from dense_reloc_ros.features.trunk import EfficientNetLite0Trunk, weights_path, weights_sha256

FINE_BLOCKS = (2, 4)
"""Of the image at full resolution: 24 channels at stride 4, 40 at stride 8."""
COARSE_BLOCKS = (2, 4, 7, 10)
"""Of the image at half resolution: 24, 40, 80, 112 channels at strides 8, 16, 32, 32."""
BLOCK_STRIDES = {2: 4, 4: 8, 7: 16, 10: 16}
BLOCK_OFFSETS = {2: 2.6, 4: 3.3, 7: 9.9, 10: 9.3}
"""Where cell 0 of a block lies, in pixels of the network's input.

Padding puts the middle of what cell i sees at stride * i + stride - 1, but the trained weights look
left and up of it: measured by matching photographs with rotated and scaled copies of themselves.
"""
COARSE_BLUR_PIXELS = 1.25
"""Of the half-size image."""


class EffNetLite0(FeatureExtractor):
    """Levels `coarse` (stride 8, 256 channels, wide context) and `fine` (stride 4, 64 channels).

    The coarse level sees the image at half resolution: on ImageNet features that is more robust to
    blur and noise than the full one, with twice the context, at a quarter of the cost.
    """

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self._trunk = EfficientNetLite0Trunk(depth=max(COARSE_BLOCKS) + 1)
        self._trunk.eval().to(device).to(memory_format=torch.channels_last)
        self._fine_depth = max(FINE_BLOCKS) + 1
        self.signature = FeatureSignature(
            method="sparse_to_dense",
            network="effnet_lite0",
            weights_sha256=weights_sha256(weights_path()),
            levels={
                "coarse": LevelSignature(stride=8, channels=256),
                "fine": LevelSignature(stride=4, channels=64),
            },
        )

    @torch.inference_mode()
    def __call__(self, images: Tensor) -> DenseFeatures:
        height, width = images.shape[-2:]
        half = normalize_local_contrast(images)
        full = interpolate(half, size=(height, width), mode="bilinear")
        fine_blocks = self._trunk(standardize(full), self._fine_depth)
        coarse_blocks = self._trunk(standardize(gaussian_blur(half, COARSE_BLUR_PIXELS)))
        fine = [Layer(fine_blocks[b], BLOCK_STRIDES[b], BLOCK_OFFSETS[b]) for b in FINE_BLOCKS]
        # A pixel of the half image covers two, so its centre lies half a pixel further.
        coarse = [
            Layer(coarse_blocks[b], 2 * BLOCK_STRIDES[b], 2 * BLOCK_OFFSETS[b] + 0.5)
            for b in COARSE_BLOCKS
        ]
        return DenseFeatures(
            levels={
                "coarse": FeatureLevel(8, 3.5, hypercolumn(coarse, 8, 3.5, height, width)),
                "fine": FeatureLevel(4, 1.5, hypercolumn(fine, 4, 1.5, height, width)),
            },
            global_descriptor=normalize(generalized_mean(coarse_blocks[-1].clamp(min=1e-6)), dim=1),
        )
