"""Images as they would look at night: dark, blurred by motion, noisy, partly covered.

Training changes images at random (`photometric`), here they are changed by fixed amounts. Each
frame's randomness comes from its own number, so that whatever runs on any subset of a recording
sees the same pixels, and numbers can be compared.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from dense_reloc_ros.geometry.arrays import Float32Array, RgbImage

LIGHT_RANGE = (0.1, 1.0)
"""Of uneven light, relative to even light."""
LIGHT_GRID = (3, 4)
"""Rows and columns of the random values between which uneven light is interpolated."""
BOXES = 3
"""Grey boxes that together hide the covered share of the image."""
BOX_BRIGHTNESS = (0.1, 0.5)


@dataclass(frozen=True)
class Conditions:
    """What stands between a scene and its image, in the order of the light's way."""

    blur: int
    """Length of the motion blur in pixels."""
    gamma: float
    """Exponent of the brightness: more than 1 takes contrast from the shadows."""
    gain: float
    """Brightness of white."""
    photons: float
    """That a pixel counts at full scale."""
    read_noise: float
    """Standard deviation, as a share of full scale."""
    uneven_light: bool = False
    covered: float = 0.0
    """Share of the image hidden by grey boxes."""


LEVELS: Mapping[str, Conditions] = MappingProxyType(
    {
        "dim": Conditions(blur=3, gamma=1.5, gain=0.5, photons=4000, read_noise=0.004),
        "dark": Conditions(blur=7, gamma=2.5, gain=0.3, photons=1000, read_noise=0.008),
        "night": Conditions(blur=9, gamma=2.5, gain=0.12, photons=400, read_noise=0.012),
        "harsh": Conditions(
            blur=15,
            gamma=2.0,
            gain=0.15,
            photons=400,
            read_noise=0.012,
            uneven_light=True,
            covered=0.3,
        ),
    }
)


def degrade(image: RgbImage, conditions: Conditions, number: int, seed: int = 0) -> RgbImage:
    """The image (H, W, 3) RGB under `conditions`, with the randomness of a frame number.

    Each seed is another one; that of the published levels is 0.
    """
    rng = np.random.default_rng([seed, number] if seed else number)
    # Noise is drawn for blue, green, red: the definition is that of OpenCV's images.
    scene = image[..., ::-1].astype(np.float32) / 255
    blurred = cv2.filter2D(scene, -1, motion_kernel(conditions.blur, rng.uniform(0, np.pi)))
    light = conditions.gain * np.clip(blurred, 0, 1) ** conditions.gamma
    if conditions.uneven_light:
        light *= light_field(light.shape[0], light.shape[1], rng)[..., None]
    if conditions.covered:
        _cover(light, conditions, rng)
    return np.ascontiguousarray(expose(light, conditions, rng)[..., ::-1])


def motion_kernel(length: int, angle: float) -> Float32Array:
    """The blur (2 * length + 1 square, sum 1) of a camera that moves straight, angle in radians."""
    half = (length - 1) / 2 * np.array([np.cos(angle), np.sin(angle)])
    begin, end = (np.rint(length + offset).astype(int).tolist() for offset in (-half, half))
    kernel = np.zeros((2 * length + 1, 2 * length + 1), np.float32)
    cv2.line(kernel, begin, end, 1.0)
    return np.asarray(kernel / kernel.sum())


def light_field(height: int, width: int, rng: Generator) -> Float32Array:
    """Smooth random light (height, width) within `LIGHT_RANGE`."""
    grid = rng.uniform(*LIGHT_RANGE, LIGHT_GRID).astype(np.float32)
    field = cv2.resize(grid, (width, height), interpolation=cv2.INTER_CUBIC)
    return np.clip(field, *LIGHT_RANGE)


def _cover(light: Float32Array, conditions: Conditions, rng: Generator) -> None:
    """Puts boxes of the image's proportions in front of (H, W, 3), in place."""
    height, width = light.shape[:2]
    side = np.sqrt(conditions.covered / BOXES)
    box_height, box_width = int(height * side), int(width * side)
    for _ in range(BOXES):
        left = rng.integers(0, width - box_width)
        top = rng.integers(0, height - box_height)
        brightness = conditions.gain * rng.uniform(*BOX_BRIGHTNESS)
        light[top : top + box_height, left : left + box_width] = brightness


def expose(light: Float32Array, conditions: Conditions, rng: Generator) -> NDArray[np.uint8]:
    """What the sensor makes of light (H, W, 3): shot noise, read noise, 8 bits."""
    counted = rng.poisson(light * conditions.photons) / conditions.photons
    read = counted + rng.normal(0, conditions.read_noise, light.shape)
    return np.clip(np.rint(read * 255), 0, 255).astype(np.uint8)
