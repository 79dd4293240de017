"""The photographs inside scikit-image's wheel, cut and resized; nothing is downloaded."""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np
import skimage.data
from numpy.random import Generator

from dense_reloc_ros.geometry.arrays import Float32Array
from dense_reloc_ros.rendering.room import Texture

DENSITY = 280
"""Texels per metre of every texture made here."""

Colour = tuple[int, int, int]

PICTURES = (
    "astronaut",
    "chelsea",
    "coffee",
    "rocket",
    "hubble_deep_field",
    "retina",
    "motorcycle",
    "camera",
    "moon",
    "coins",
    "immunohistochemistry",
    "page",
)


@cache
def photograph(name: str) -> Texture:
    """One of the bundled photographs, (h, w, 3) RGB."""
    if name == "motorcycle":
        image, _, _ = skimage.data.stereo_motorcycle()  # type: ignore[no-untyped-call]
    else:
        image = getattr(skimage.data, name)()
    if name == "retina":
        image = image[200:1200, 200:1200]  # without the black around the eye
    if image.ndim == 2:
        image = np.repeat(image[..., None], 3, axis=2)
    image.flags.writeable = False
    return np.asarray(image)


@cache
def wood_grain(part: int) -> Texture:
    """A part (0 to 2) of the table in the coffee picture, turned until its grain is horizontal."""
    centre = (540, 80 + 120 * part)
    turn = cv2.getRotationMatrix2D(centre, -31, 1)
    turned = cv2.warpAffine(photograph("coffee"), turn, (600, 400))
    return np.asarray(cv2.getRectSubPix(turned, (80, 100), centre), dtype=np.uint8)


@cache
def brick_courses() -> Texture:
    """Eleven courses of the brick picture, freed of its perspective."""
    corners = np.array([[0, 88], [512, 27], [512, 446], [0, 411]], dtype=np.float32)
    width, height = 512, 390
    target = np.array([[0, 0], [width, 0], [width, height], [0, height]], dtype=np.float32)
    matrix = cv2.getPerspectiveTransform(corners, target)
    bricks = np.ascontiguousarray(np.rot90(photograph("brick")))
    return np.asarray(cv2.warpPerspective(bricks, matrix, (width, height)), dtype=np.uint8)


def texels(metres: float) -> int:
    """The number of texels along a length."""
    return max(4, round(metres * DENSITY))


def scaled(texture: Texture, factor: Float32Array | float) -> Texture:
    """A texture times a factor that broadcasts to it."""
    return np.asarray(np.clip(texture * factor, 0, 255), dtype=np.uint8)


def blotches(width: float, height: float, strength: float, rng: Generator) -> Float32Array:
    """Smooth random brightness (h, w, 1) around 1, so that no two places look the same."""
    shape = (texels(height), texels(width))
    total = np.ones(shape, dtype=np.float32)
    for cells_per_metre in (1, 5):
        cells = [max(2, round(metres * cells_per_metre)) for metres in (height, width)]
        noise = rng.normal(0, strength, cells).astype(np.float32)
        total += cv2.resize(noise, shape[::-1], interpolation=cv2.INTER_CUBIC)
    return total[..., None]


def tinted(
    tile: Texture,
    colour: Colour,
    contrast: float,
    tile_width: float,
    width: float,
    height: float,
    rng: Generator,
) -> Texture:
    """The structure of a photograph in another colour over width x height metres.

    It is repeated in mirrored copies that are `tile_width` metres wide, from a random start.
    """
    scale = texels(tile_width) / tile.shape[1]
    tile = np.asarray(
        cv2.resize(tile, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), dtype=np.uint8
    )
    top, left = (int(rng.integers(n)) for n in tile.shape[:2])
    rows, columns = top + texels(height), left + texels(width)
    below, right = max(0, rows - tile.shape[0]), max(0, columns - tile.shape[1])
    tiled = np.asarray(cv2.copyMakeBorder(tile, 0, below, 0, right, cv2.BORDER_REFLECT))
    structure = tiled[top:rows, left:columns] / tile.mean(axis=(0, 1), dtype=np.float32)
    relative = (1 + contrast * (structure - 1)) * blotches(width, height, 0.025, rng)
    return np.asarray(np.clip(relative * np.array(colour), 0, 255), dtype=np.uint8)


def cropped(image: Texture, width: int, height: int, rng: Generator) -> Texture:
    """A large part of an image with the shape width : height, resized to it (texels)."""
    scale = min(image.shape[1] / width, image.shape[0] / height) * rng.uniform(0.8, 1)
    columns, rows = max(1, int(width * scale)), max(1, int(height * scale))
    left = int(rng.integers(image.shape[1] - columns + 1))
    top = int(rng.integers(image.shape[0] - rows + 1))
    part = image[top : top + rows, left : left + columns]
    method = cv2.INTER_AREA if scale > 1 else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(part, (width, height), interpolation=method), dtype=np.uint8)
