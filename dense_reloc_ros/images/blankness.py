"""Images that show nothing: darkness, a covered lens, a white sky. They need not be searched."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np

from dense_reloc_ros.geometry.arrays import FloatArray, RgbImage

CELL = 16
"""Pixels each way, over which noise averages out."""
LEAST_RATIO = 6.0
"""Of the variance of cells to what noise within them explains, from which on there is something.

Noise alone has 0.8 to 1.1, through JPEG mostly less than 5. Map images of 30 scenes have at least
228, at the benchmarks' light levels 263, and at a hundredth of their light with noise of two grey
levels 12.
"""
FEWEST_CELLS = 24
"""Of an image that is judged: four for each number that slow changes have."""
ROUNDING = 1 / 12
"""Variance of the noise that whole grey levels are."""


def is_blank(image: RgbImage) -> bool:
    """Whether an RGB image (H, W, 3) has nothing but noise, and light that changes slowly over it.

    Too small ones are not judged.
    """
    height, width = (side // CELL for side in image.shape[:2])
    if height * width < FEWEST_CELLS:
        return False
    whole = image[: height * CELL, : width * CELL]
    grey = cv2.cvtColor(np.ascontiguousarray(whole), cv2.COLOR_RGB2GRAY).astype(np.float32)
    cells = cv2.resize(grey, (width, height), interpolation=cv2.INTER_AREA).astype(np.float64)
    within = max(0.0, float(grey.var()) - float(cells.var()))
    by_noise = (within + ROUNDING) / CELL**2
    return float(_without_slow_changes(cells).var()) < LEAST_RATIO * by_noise


def _without_slow_changes(cells: FloatArray) -> FloatArray:
    """What a quadratic function of the place does not explain of cells (h, w), (h * w,)."""
    basis = _slow_changes(*cells.shape)
    values = cells.ravel()
    rest: FloatArray = values - basis @ (basis.T @ values)
    return rest


@lru_cache(maxsize=4)
def _slow_changes(height: int, width: int) -> FloatArray:
    """An orthonormal basis (h * w, 6) of the quadratic functions on a grid."""
    y, x = (grid.ravel() for grid in np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j])
    functions = np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=-1)
    basis: FloatArray = np.linalg.qr(functions)[0]
    return basis
