"""Pairs of views of a photograph that a known homography relates, always the same ones."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from zlib import crc32

import cv2
import numpy as np
from numpy.random import Generator

from dense_reloc_ros.errors import ConfigurationError, InputError
from dense_reloc_ros.evaluation.benchmarks.degraded_frames import CLEAN
from dense_reloc_ros.geometry.arrays import FloatArray, RgbImage
from dense_reloc_ros.images.image_file import read_rgb
from dense_reloc_ros.images.light_levels import LEVELS, degrade
from dense_reloc_ros.mapping.sources.image_folder import SUFFIXES

SIZE = (640, 480)
"""Width and height of the views."""
MARGIN = 1.4
"""A photograph is scaled until it is this many times as large as a view, and cut in the middle."""
LARGEST_TURN = np.deg2rad(25.0)
LARGEST_ZOOM = 1.35
LARGEST_TILT = 0.12
"""How far a corner moves by perspective, as a share of the image's size."""
LARGEST_SHIFT = 0.08
"""How far the whole moves, as a share of the image's size."""


@dataclass(frozen=True)
class HomographyPair:
    """Two views of a photograph, (H, W, 3) RGB each."""

    name: str
    source: RgbImage
    target: RgbImage
    homography: FloatArray
    """(3, 3), from pixels of the source to pixels of the target."""


def check_level(level: str) -> None:
    """Checks the name of a level of light.

    Raises:
        ConfigurationError: an unknown level; lists those that exist.
    """
    known = (CLEAN, *LEVELS)
    if level not in known:
        raise ConfigurationError(f"unknown level '{level}' (known: {', '.join(known)})")


def photographs_in(folder: Path) -> list[Path]:
    """The image files in a folder and the folders in it, sorted by path.

    Raises:
        InputError: no such folder, or no images in it.
    """
    files = sorted(file for file in folder.rglob("*") if file.suffix.lower() in SUFFIXES)
    if not files:
        raise InputError(f"{folder}: no images ({', '.join(SUFFIXES)})")
    return files


def homography_pairs(
    photographs: Sequence[Path], count: int, level: str = CLEAN, size: tuple[int, int] = SIZE
) -> Iterator[HomographyPair]:
    """`count` pairs of every photograph, the target seen at a level of light.

    The randomness of a pair comes from the name of the file, so that whatever runs on any of the
    photographs sees the same pairs.

    Raises:
        InputError: an image that cannot be read.
    """
    for path in photographs:
        canvas = _canvas(read_rgb(path), size)
        for trial in range(count):
            name = f"{path.name} {trial}"
            number = crc32(name.encode())
            homography = random_homography(size, np.random.default_rng(number))
            target = _view(canvas, size, homography)
            if level != CLEAN:
                target = degrade(target, LEVELS[level], number)
            yield HomographyPair(name, _view(canvas, size, np.eye(3)), target, homography)


def random_homography(size: tuple[int, int], rng: Generator) -> FloatArray:
    """A homography (3, 3) of images (width, height): turn, zoom, shift and tilt about the middle.

    Each is uniform between its bounds, the zoom on a logarithmic scale.
    """
    width, height = size
    corners = np.array([[0, 0], [width - 1, 0], [width - 1, height - 1], [0, height - 1]])
    middle = corners.mean(axis=0)
    turn = rng.uniform(-LARGEST_TURN, LARGEST_TURN)
    zoom = LARGEST_ZOOM ** rng.uniform(-1, 1)
    rotation = zoom * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    shift = rng.uniform(-LARGEST_SHIFT, LARGEST_SHIFT, 2) * size
    tilt = rng.uniform(-LARGEST_TILT, LARGEST_TILT, (4, 2)) * size
    moved = (corners - middle) @ rotation.T + middle + shift + tilt
    return np.asarray(
        cv2.getPerspectiveTransform(corners.astype(np.float32), moved.astype(np.float32))
    )


def transfer(homography: FloatArray, pixels: FloatArray) -> FloatArray:
    """Where a homography puts pixels (N, 2)."""
    moved = pixels @ homography[:, :2].T + homography[:, 2]
    return moved[:, :2] / moved[:, 2:]


def _canvas(image: RgbImage, size: tuple[int, int]) -> RgbImage:
    """The middle of a photograph at the scale at which it is `MARGIN` times a view."""
    target = np.ceil(MARGIN * np.array(size)).astype(int)
    scale = float((target / image.shape[1::-1]).max())
    filtering = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    scaled = cv2.resize(image, None, fx=scale, fy=scale, interpolation=filtering)
    left, top = (np.array(scaled.shape[1::-1]) - target) // 2
    return np.ascontiguousarray(scaled[top : top + target[1], left : left + target[0]])


def _view(canvas: RgbImage, size: tuple[int, int], homography: FloatArray) -> RgbImage:
    """What a view (width, height) shows whose pixels are the homography of those in the middle.

    What lies beyond the photograph is its mirror image: no black border gives the shape away.
    """
    corner = (np.array(canvas.shape[1::-1]) - size) / 2
    to_view = np.array([[1, 0, -corner[0]], [0, 1, -corner[1]], [0, 0, 1]])
    return np.asarray(
        cv2.warpPerspective(
            canvas,
            homography @ to_view,
            size,
            flags=cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REFLECT_101,
        ),
        dtype=np.uint8,
    )
