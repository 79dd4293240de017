"""Random parts of photographs, resampled to the size of a run."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.random import Generator

from dense_reloc_ros.geometry.arrays import FloatArray, Mask, RgbImage
from dense_reloc_ros.geometry.camera import Camera


@dataclass(frozen=True)
class Crop:
    """A box of whole pixels of an image, and the size that it is resampled to."""

    left: int
    top: int
    width: int
    height: int
    size: tuple[int, int]
    """(height, width)."""

    def camera(self, camera: Camera) -> Camera:
        """The intrinsics of the part that a pinhole camera sees."""
        part = camera.cut(self.left, self.top, self.width, self.height)
        return part.scaled(self.size[1], self.size[0])

    def image(self, image: RgbImage) -> RgbImage:
        """The part of an image (H, W, 3)."""
        method = cv2.INTER_AREA if self.size[1] <= self.width else cv2.INTER_CUBIC
        resized = cv2.resize(image[self._box], self.size[::-1], interpolation=method)
        return np.asarray(resized, dtype=np.uint8)

    def mask(self, mask: Mask) -> Mask:
        """The part of a mask (H, W)."""
        part = mask[self._box].astype(np.uint8)
        resized = cv2.resize(part, self.size[::-1], interpolation=cv2.INTER_NEAREST)
        return np.asarray(resized, dtype=np.bool_)

    def pixels(self, pixels: FloatArray) -> FloatArray:
        """Where pixels (N, 2) of the image lie in the part."""
        return (pixels - (self.left, self.top) + 0.5) * self._scale - 0.5

    def image_pixels(self, pixels: FloatArray) -> FloatArray:
        """Where pixels (N, 2) of the part lie in the image."""
        return (pixels + 0.5) / self._scale - 0.5 + (self.left, self.top)

    @property
    def _scale(self) -> FloatArray:
        return np.array([self.size[1] / self.width, self.size[0] / self.height])

    @property
    def _box(self) -> tuple[slice, slice]:
        rows = slice(self.top, self.top + self.height)
        return rows, slice(self.left, self.left + self.width)


def random_crop(camera: Camera, size: tuple[int, int], zoom: float, rng: Generator) -> Crop:
    """A part of a camera's images with the shape of `size` (height, width), anywhere.

    Its sides are the longest possible ones, divided by 1 to `zoom`.
    """
    height, width = size
    scale = min(camera.width / width, camera.height / height) / zoom ** rng.uniform(0, 1)
    columns, rows = max(1, int(width * scale)), max(1, int(height * scale))
    left = int(rng.integers(camera.width - columns + 1))
    top = int(rng.integers(camera.height - rows + 1))
    return Crop(left, top, columns, rows, size)
