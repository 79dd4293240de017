"""Brightness stretch: what makes images taken in the dark comparable with those of the map."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

BLUR_SIGMA_PIXELS = 1.5
PERCENTILES = (1.0, 99.5)
GAMMA = 1 / 2.2


def stretch_brightness(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Brightens an RGB image (H, W, 3): blur, the 1st-99.5th percentile to 0-1, gamma 1/2.2.

    The blur takes the shot noise that the gamma would amplify. An image without contrast comes
    back blurred only.
    """
    blurred = cv2.GaussianBlur(image.astype(np.float32), (0, 0), BLUR_SIGMA_PIXELS)
    low, high = np.percentile(blurred, PERCENTILES)
    if high - low < 1.0:
        return np.asarray(np.rint(blurred), dtype=np.uint8)
    stretched = np.clip((blurred - low) / (high - low), 0, 1) ** GAMMA
    return np.asarray(np.rint(stretched * 255), dtype=np.uint8)
