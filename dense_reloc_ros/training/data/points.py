"""Where a source image has something to be recognized by: corners and gradients."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from dense_reloc_ros.geometry.arrays import Mask, RgbImage

CORNER_SHARE = 0.5
CORNER_QUALITY = 1e-3
CORNER_SPACING = 3.0
"""Pixels of the half-size image."""
LEAST_GRADIENT = 4.0
"""Grey levels per pixel of the half-size image, below which a place is plain."""


def interesting_pixels(
    image: RgbImage, count: int, rng: Generator, usable: Mask | None = None
) -> NDArray[np.float64]:
    """Pixels (N, 2), N <= `count`: half of them corners, the others drawn by the gradient.

    The gradient weighs by its root, so that faint structure takes part. Plain places, and those
    that are not `usable` (H, W), have no such pixels. Found at half size: exact to a pixel.
    """
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    half = cv2.resize(grey, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    x, y = (cv2.Sobel(half, cv2.CV_32F, *order, scale=1 / 8) for order in ((1, 0), (0, 1)))
    gradient = np.asarray(cv2.magnitude(x, y), dtype=np.float32)
    gradient[gradient < LEAST_GRADIENT] = 0
    near_edges = cv2.dilate((gradient > 0).astype(np.uint8), np.ones((5, 5), dtype=np.uint8))
    if usable is not None:
        rows, columns = gradient.shape
        unusable = ~usable[: 2 * rows : 2, : 2 * columns : 2]
        gradient[unusable], near_edges[unusable] = 0, 0
    found = cv2.goodFeaturesToTrack(
        half, 2 * count, CORNER_QUALITY, CORNER_SPACING, mask=near_edges
    )
    corners = np.zeros((0, 2)) if found is None else np.asarray(found, np.float64).reshape(-1, 2)
    corners = rng.permutation(corners)[: round(count * CORNER_SHARE)]
    pixels = np.concatenate([corners, _by_gradient(gradient, count - len(corners), rng)])
    pixels = 2 * pixels + 0.5 + rng.uniform(-0.5, 0.5, pixels.shape)
    return np.asarray(np.clip(pixels, 0, np.array(grey.shape[::-1]) - 1), dtype=np.float64)


def _by_gradient(gradient: NDArray[np.float32], count: int, rng: Generator) -> NDArray[np.float64]:
    """`count` cells (N, 2) drawn with the root of the gradient (H, W) as weight; none if all 0."""
    total = np.cumsum(np.sqrt(gradient), dtype=np.float64)
    if total[-1] == 0:
        return np.zeros((0, 2))
    index = np.searchsorted(total, rng.uniform(0, total[-1], count), side="right")
    rows, columns = np.divmod(np.minimum(index, gradient.size - 1), gradient.shape[1])
    return np.stack([columns, rows], axis=1).astype(np.float64)
