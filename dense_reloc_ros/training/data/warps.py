"""Pairs from single photographs: a part of one, and a random homography of it."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import cv2
import numpy as np
from numpy.random import Generator
from pydantic import Field

from dense_reloc_ros.errors import InputError
from dense_reloc_ros.geometry.arrays import FloatArray, RgbImage
from dense_reloc_ros.images.photometric import PhotometricConfiguration, RandomCamera
from dense_reloc_ros.parameter_blocks import Block
from dense_reloc_ros.training.data.photograph_library import PhotographLibrary, Pyramid
from dense_reloc_ros.training.data.points import interesting_pixels
from dense_reloc_ros.training.data.view_pairs import (
    FEWEST_VISIBLE,
    ViewPair,
    assemble,
    candidate_count,
    is_inside,
)
from dense_reloc_ros.training.examples import TrainingPair

ATTEMPTS = 50
FINEST = 0.7
"""Pixels of a photograph that a pixel of the source image takes at least, where it is large."""
SMALLEST_PART = 0.4
"""Of the side of a photograph, that a source image shows at least."""
TILTED_SHARE = 0.25
"""Of the pairs, that may turn by all of `rotation`; the others vary by a fifth of it."""
LEAST_OVERLAP = 0.3
"""Of the source image, that the target image shows."""
NEAREST_HORIZON = 0.3
"""Homogeneous coordinate that no corner of the target image falls below."""


class WarpsConfiguration(Block):
    """Homographies of photographs; a place is a photograph."""

    kind: Literal["warps"] = "warps"
    folders: tuple[Path, ...] = Field((), description="Folders of photographs, with subfolders")
    pictures: tuple[str, ...] = Field((), description="Names of pictures in scikit-image")
    memory_mb: int = Field(512, ge=1, description="Memory for decoded photographs")
    scale: float = Field(1.7, ge=1, description="Largest zoom in, and out")
    rotation: float = Field(45.0, ge=0, le=180, description="Largest rotation in degrees")
    perspective: float = Field(0.3, ge=0, lt=0.5, description="Largest slant")
    translation: float = Field(0.4, ge=0, le=1, description="Largest shift in half image widths")
    photometric: PhotometricConfiguration = PhotometricConfiguration()


class WarpsSource:
    """Pairs of `size` (height, width) with `points` points each.

    Raises:
        InputError, ConfigurationError: as `PhotographLibrary`.
    """

    def __init__(
        self, configuration: WarpsConfiguration, size: tuple[int, int], points: int
    ) -> None:
        self._configuration = configuration
        self._size, self._points = (size[1], size[0]), points
        self._camera = RandomCamera(configuration.photometric)
        self._library = PhotographLibrary(
            configuration.folders, configuration.pictures, configuration.memory_mb
        )
        self.places = len(self._library)

    def pair(self, number: int) -> TrainingPair:
        """The pair of a number, always the same.

        Raises:
            InputError: a photograph that cannot be read, or none in which anything can be seen.
        """
        rng = np.random.default_rng(number)
        for _ in range(ATTEMPTS):
            place = int(rng.integers(len(self._library)))
            views = self._views(place, rng)
            if np.count_nonzero(views.visible) >= FEWEST_VISIBLE:
                return assemble(views, self._points, self._camera, rng)
        name = self._library.name(place)
        raise InputError(f"{name}: nothing to be seen in it, nor in {ATTEMPTS - 1} other pictures")

    def _views(self, place: int, rng: Generator) -> ViewPair:
        pyramid = self._library.pyramid(place)
        width, height = self._size
        H_source_photograph = random_part(pyramid[0].shape[1::-1], self._size, rng)
        H_target_source = random_homography(self._configuration, self._size, rng)
        source_image = view(pyramid, H_source_photograph, self._size)
        background = tuple(rng.uniform(0.3, 1.2) * pyramid[-1].mean(axis=(0, 1)))
        H_target_photograph = H_target_source @ H_source_photograph
        target_image = view(pyramid, H_target_photograph, self._size, background)
        source_pixels = interesting_pixels(source_image, candidate_count(self._points), rng)
        target_pixels = apply_homography(H_target_source, source_pixels)
        return ViewPair(
            source_image,
            target_image,
            source_pixels,
            target_pixels,
            visible=is_inside(target_pixels, width, height),
            place=place,
        )


def inverse(homography: FloatArray) -> FloatArray:
    """The homography (3, 3) back."""
    return np.asarray(np.linalg.inv(homography), dtype=np.float64)


def apply_homography(homography: FloatArray, pixels: FloatArray) -> FloatArray:
    """Pixels (N, 2) moved by a homography (3, 3)."""
    moved = pixels @ homography[:, :2].T + homography[:, 2]
    return np.asarray(moved[:, :2] / moved[:, 2:])


def random_part(photograph: tuple[int, ...], size: tuple[int, int], rng: Generator) -> FloatArray:
    """H_source_photograph (3, 3) of a part of a photograph, both as (width, height)."""
    whole = min((p - 1) / (s - 1) for p, s in zip(photograph, size, strict=True))
    finest = min(whole, max(FINEST, SMALLEST_PART * whole))
    step = np.exp(rng.uniform(np.log(finest), np.log(whole)))
    # Where the part is the whole, rounding can leave less than nothing beside it.
    left, top = (
        rng.uniform(0, max(0.0, p - 1 - step * (s - 1)))
        for p, s in zip(photograph, size, strict=True)
    )
    return np.array([[1 / step, 0, -left / step], [0, 1 / step, -top / step], [0, 0, 1]])


def random_homography(
    configuration: WarpsConfiguration, size: tuple[int, int], rng: Generator
) -> FloatArray:
    """H_target_source (3, 3): slant, then zoom, rotation and shift about the image centre.

    Images are of `size` (width, height).
    """
    half = size[0] / 2
    to_centre = np.array([[half, 0, (size[0] - 1) / 2], [0, half, (size[1] - 1) / 2], [0, 0, 1]])
    from_centre = inverse(to_centre)
    for _ in range(ATTEMPTS):
        homography = to_centre @ _draw(configuration, rng) @ from_centre
        if _is_useful(homography, size):
            return homography
    return np.eye(3)


def view(
    pyramid: Pyramid,
    H_view_photograph: FloatArray,
    size: tuple[int, int],
    background: tuple[float, ...] | None = None,
) -> RgbImage:
    """The image of `size` (width, height) that a homography makes of a photograph.

    Sampled from the level of the pyramid that fits. Outside the photograph lies `background`, or
    without one, the colour of its nearest pixel.
    """
    x, y = (size[0] - 1) / 2, (size[1] - 1) / 2
    middle = np.array([[x, y], [x + 1, y], [x, y + 1]])
    here, right, below = apply_homography(inverse(H_view_photograph), middle)
    step = np.sqrt(np.abs(np.linalg.det(np.stack([right - here, below - here]))))
    level = int(np.clip(np.rint(np.log2(max(step, 1e-6))), 0, len(pyramid) - 1))
    n = 2.0**level
    H_photograph_level = np.array([[n, 0, (n - 1) / 2], [0, n, (n - 1) / 2], [0, 0, 1]])
    image = cv2.warpPerspective(
        pyramid[level],
        H_view_photograph @ H_photograph_level,
        size,
        borderMode=cv2.BORDER_REPLICATE if background is None else cv2.BORDER_CONSTANT,
        borderValue=background or (),
    )
    return np.asarray(image, dtype=np.uint8)


def _draw(configuration: WarpsConfiguration, rng: Generator) -> FloatArray:
    most = np.deg2rad(configuration.rotation)
    is_tilted = rng.random() < TILTED_SHARE
    angle = rng.uniform(-most, most) if is_tilted else np.clip(rng.normal(0, most / 5), -most, most)
    zoom = configuration.scale ** rng.uniform(-1, 1)
    stretch = 1.1 ** rng.uniform(-1, 1)
    cos, sin = np.cos(angle), np.sin(angle)
    turn = np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]])
    turn = turn @ np.diag([zoom * stretch, zoom / stretch, 1])
    turn[:2, 2] = rng.uniform(-configuration.translation, configuration.translation, 2)
    slant = np.eye(3)
    slant[2, :2] = rng.uniform(-configuration.perspective, configuration.perspective, 2)
    return np.asarray(turn @ slant)


def _is_useful(homography: FloatArray, size: tuple[int, int]) -> bool:
    width, height = size
    x, y = np.meshgrid(np.linspace(0, width - 1, 9), np.linspace(0, height - 1, 7))
    grid = np.stack([x.ravel(), y.ravel()], axis=1)
    corners = np.array([[x, y, 1] for x in (0, width - 1) for y in (0, height - 1)])
    back = inverse(homography)
    is_near_horizon = (corners @ back[2] / back[2, 2]).min() < NEAREST_HORIZON
    overlap = is_inside(apply_homography(homography, grid), width, height).mean()
    return bool(not is_near_horizon and overlap >= LEAST_OVERLAP)
