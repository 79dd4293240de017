"""What counts as an image where people hand over arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from dense_reloc_ros.errors import InputError
from dense_reloc_ros.geometry.arrays import RgbImage


def as_rgb(image: NDArray[Any]) -> RgbImage:
    """An image as RGB (H, W, 3) uint8; grey ones, (H, W) or (H, W, 1), get three equal channels.

    Raises:
        InputError: anything else. Floats have no known range, and a fourth channel no known order.
    """
    if not isinstance(image, np.ndarray):
        raise InputError(f"an image is a numpy array, not {type(image).__name__}")
    is_grey = image.ndim == 2 or (image.ndim == 3 and image.shape[2] == 1)
    if image.dtype != np.uint8 or not image.size or not (is_grey or image.shape[2:] == (3,)):
        raise InputError(
            "an image is RGB (H, W, 3) or grey (H, W), of uint8 from 0 to 255, not "
            f"{image.shape} of {image.dtype}"
        )
    if is_grey:
        return np.repeat(image.reshape(*image.shape[:2], 1), 3, axis=2)
    return image
