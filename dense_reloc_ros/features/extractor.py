"""What every feature network offers: dense levels with their stride, and who made them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict
from torch import Tensor

from dense_reloc_ros.geometry.arrays import RgbImage


class LevelSignature(BaseModel):
    """Stride in pixels and channels of one dense level."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    stride: int
    channels: int


class FeatureSignature(BaseModel):
    """What must agree between a map and the network that reads queries for it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    method: str
    network: str
    weights_sha256: str
    levels: dict[str, LevelSignature]


@dataclass(frozen=True)
class FeatureLevel:
    """One dense level: `values` (B, C, h, w), L2-normalized along C.

    The centre of cell (column i, row j) lies at pixel (stride * i + offset, stride * j + offset).
    """

    stride: int
    offset: float
    values: Tensor
    sizes: Tensor | None = None
    """(B, 2) int64 columns and rows of each image, where smaller ones are padded with zeros."""

    def size(self, image: Tensor | None = None) -> Tensor:
        """Columns and rows, (2,); or (M, 2) of the image that each of M points is looked for in."""
        if image is None or self.sizes is None:
            height, width = self.values.shape[-2:]
            return self.values.new_tensor([width, height], dtype=torch.int64)
        return self.sizes[image]

    def sizes_of_all(self, image: Tensor | None) -> Tensor:
        """Columns and rows (B, 2) int64 of all images; of the first one where none is given."""
        if image is not None and self.sizes is not None:
            return self.sizes
        # Contiguous, as those of padded images are: compiled functions are compiled once then.
        return self.size().repeat(1 if image is None else len(self.values), 1)

    def channels_last(self, image: Tensor | None) -> Tensor:
        """The values (B, h, w, C) of all images; of the first one where none is given."""
        values = self.values[:1] if image is None else self.values
        return values.permute(0, 2, 3, 1)

    def pixels_to_cells(self, pixels: Tensor) -> Tensor:
        """Pixel coordinates (..., 2) as fractional cell coordinates (column, row) of this level."""
        return (pixels - self.offset) / self.stride

    def cells_to_pixels(self, cells: Tensor) -> Tensor:
        """Cell coordinates (..., 2) as pixel coordinates."""
        return cells * self.stride + self.offset

    def sample(self, pixels: Tensor, image: int = 0) -> Tensor:
        """Descriptors (N, C) at pixels (N, 2) of one image: bilinear, L2-normalized."""
        height, width = self.values.shape[-2:]
        cells = self.pixels_to_cells(pixels.to(self.values))
        scale = cells.new_tensor([width, height])
        grid = ((cells + 0.5) / scale * 2 - 1)[None, None]
        sampled = torch.nn.functional.grid_sample(
            self.values[image : image + 1], grid, padding_mode="border", align_corners=False
        )[0, :, 0].T
        return torch.nn.functional.normalize(sampled, dim=-1)


@dataclass(frozen=True)
class DenseFeatures:
    """The levels of an image batch by name, and one global descriptor (B, D) an image."""

    levels: Mapping[str, FeatureLevel]
    global_descriptor: Tensor

    def split(self) -> list[DenseFeatures]:
        """Those of each image, a batch of one; smaller ones must not be padded."""
        return [
            DenseFeatures(
                {
                    name: replace(level, values=level.values[image : image + 1])
                    for name, level in self.levels.items()
                },
                descriptor[None],
            )
            for image, descriptor in enumerate(self.global_descriptor)
        ]


class FeatureExtractor(ABC):
    """A network (or a classical method) that turns images into dense features."""

    signature: FeatureSignature
    """Identifies features that may be compared with each other."""
    device: torch.device
    """Where the features are computed and stay."""

    @abstractmethod
    def __call__(self, images: Tensor) -> DenseFeatures:
        """Features of images (B, 3, H, W), RGB in [0, 1]."""


def features_of_each(
    extractor: FeatureExtractor, images: Sequence[RgbImage], at_once: int
) -> list[DenseFeatures]:
    """The features of each image (H, W, 3); up to `at_once` of one size are computed together."""
    by_size: dict[tuple[int, ...], list[int]] = {}
    for number, image in enumerate(images):
        by_size.setdefault(image.shape, []).append(number)
    found: dict[int, DenseFeatures] = {}
    for numbers in by_size.values():
        for first in range(0, len(numbers), at_once):
            batch = numbers[first : first + at_once]
            stacked = np.stack([images[number] for number in batch])
            described = extractor(_images_to_tensor(stacked, extractor.device))
            found |= dict(zip(batch, described.split(), strict=True))
    return [found[number] for number in range(len(images))]


def image_to_tensor(image: RgbImage, device: torch.device | None = None) -> Tensor:
    """An RGB image (H, W, 3) uint8 as a batch of one (1, 3, H, W) in [0, 1], float32."""
    return _images_to_tensor(image[None], device)


def _images_to_tensor(images: RgbImage, device: torch.device | None) -> Tensor:
    writable = np.require(images, requirements=("C", "W"))
    return torch.from_numpy(writable).to(device).permute(0, 3, 1, 2).float() / 255
