"""What things are made of: functions (width, height in metres, random generator) -> texture."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import pairwise

import cv2
import numpy as np
from numpy.random import Generator

from dense_reloc_ros.rendering.photographs import (
    DENSITY,
    PICTURES,
    Colour,
    blotches,
    brick_courses,
    cropped,
    photograph,
    scaled,
    texels,
    tinted,
    wood_grain,
)
from dense_reloc_ros.rendering.room import Texture

Material = Callable[[float, float, Generator], Texture]


def plaster(colour: Colour) -> Material:
    """A painted wall: a little grain, some stains."""
    return _tinted(partial(photograph, "gravel"), colour, 0.10, 0.5)


def fabric(colour: Colour) -> Material:
    """A woven cover."""
    return _tinted(partial(photograph, "grass"), colour, 0.45, 0.7)


def brick(colour: Colour) -> Material:
    """A brick wall."""
    return _tinted(brick_courses, colour, 0.9, 1.3)


def stone(colour: Colour) -> Material:
    """Ground of coarse pebbles, as in washed concrete."""
    return _tinted(partial(photograph, "gravel"), colour, 0.5, 1.3)


def wood(colour: Colour) -> Material:
    """A sawn board with the grain along its longer side."""

    def material(width: float, height: float, rng: Generator) -> Texture:
        if height > width:
            return np.rot90(material(height, width, rng))
        return tinted(wood_grain(int(rng.integers(3))), colour, 0.7, 0.4, width, height, rng)

    return material


def planks(colour: Colour, board: float = 0.16) -> Material:
    """A floor of boards along its width, no two alike."""

    def material(width: float, height: float, rng: Generator) -> Texture:
        floor = np.empty((texels(height), texels(width), 3), dtype=np.uint8)
        for top in range(0, floor.shape[0], texels(board)):
            left = -int(rng.integers(texels(0.8)))
            while left < floor.shape[1]:
                length = float(rng.uniform(0.9, 1.6))
                shade = float(rng.uniform(0.75, 1.15))
                tone = (int(colour[0] * shade), int(colour[1] * shade), int(colour[2] * shade))
                plank = wood(tone)(length, board, rng)
                plank[:, -2:] //= 3
                plank[-2:] //= 3
                begin, end = max(left, 0), min(left + plank.shape[1], floor.shape[1])
                part = floor[top : top + plank.shape[0], begin:end]
                part[:] = plank[: part.shape[0], begin - left : end - left]
                left += plank.shape[1]
        return floor

    return material


def printed(name: str) -> Material:
    """A photograph over the whole side."""

    def material(width: float, height: float, rng: Generator) -> Texture:
        return cropped(photograph(name), texels(width), texels(height), rng)

    return material


def picture(name: str) -> Material:
    """A framed photograph, cropped to the shape of the frame."""

    def material(width: float, height: float, rng: Generator) -> Texture:
        size = (texels(width), texels(height))
        frame = np.full((size[1], size[0], 3), rng.choice([25, 70, 225]), dtype=np.uint8)
        border, mount = texels(0.018), texels(float(rng.choice([0.02, 0.06])))
        frame[border:-border, border:-border] = 235
        inner = (size[0] - 2 * mount, size[1] - 2 * mount)
        frame[mount:-mount, mount:-mount] = cropped(photograph(name), *inner, rng)
        return frame

    return material


def carton(width: float, height: float, rng: Generator) -> Texture:
    """The side of a cardboard box from the garage of the motorcycle picture."""
    left, top, right, bottom = ((534, 38, 586, 92), (598, 69, 630, 95), (620, 212, 682, 270))[
        int(rng.integers(3))
    ]
    side = photograph("motorcycle")[top:bottom, left:right]
    size = (texels(width), texels(height))
    stretched = cv2.resize(side, size, interpolation=cv2.INTER_CUBIC)
    return scaled(np.asarray(stretched, dtype=np.uint8), 1.25 * blotches(width, height, 0.04, rng))


def books(width: float, height: float, rng: Generator) -> Texture:
    """A row of book spines, each with a strip of some photograph for its title."""
    row = np.zeros((texels(height), texels(width), 3), dtype=np.uint8)
    left = 0
    while left < row.shape[1]:
        spine = texels(float(rng.uniform(0.02, 0.055)))
        part = row[:, left : left + spine]
        colour = rng.uniform(30, 220, 3)
        strip = cropped(photograph(str(rng.choice(PICTURES))), spine, row.shape[0], rng)
        mix = 0.35 * strip[:, : part.shape[1]] + 0.65 * colour
        part[:] = mix * np.sin(np.linspace(0.5, 2.6, part.shape[1]))[:, None]
        left += spine
    return row


def cabinet_front(board: Material, columns: int, rows: int) -> Material:
    """Doors or drawers with gaps and handles."""

    def material(width: float, height: float, rng: Generator) -> Texture:
        front = board(width, height, rng).copy()
        edges_x = np.linspace(0, front.shape[1], columns + 1).astype(int)
        edges_y = np.linspace(0, front.shape[0], rows + 1).astype(int)
        for left, right in pairwise(edges_x):
            for top, bottom in pairwise(edges_y):
                cv2.rectangle(front, (left, top), (right - 1, bottom - 1), (25, 20, 15), 2)
                middle, handle = (left + right) // 2, top + texels(0.05)
                half = texels(0.05)
                cv2.rectangle(
                    front, (middle - half, handle), (middle + half, handle + 3), (205, 205, 200), -1
                )
        return front

    return material


def window_view(width: float, height: float, rng: Generator) -> Texture:
    """What a window shows: a lawn under a bright sky behind white bars."""
    size = (texels(width), texels(height))
    horizon = int(size[1] * rng.uniform(0.5, 0.65))
    view = np.empty((size[1], size[0], 3), dtype=np.uint8)
    sky = np.linspace((150, 185, 230), (225, 235, 245), horizon)[:, None]
    view[:horizon] = np.clip(sky * blotches(width, horizon / DENSITY, 0.04, rng)[:horizon], 0, 255)
    lawn = fabric((95, 130, 60))(width, (size[1] - horizon) / DENSITY + 0.01, rng)
    view[horizon:] = lawn[: size[1] - horizon]
    bar = texels(0.05)
    for x in (0, size[0] // 2 - bar // 2, size[0] - bar):
        view[:, x : x + bar] = 235
    for y in (0, size[1] - bar):
        view[y : y + bar] = 235
    return view


def rug(width: float, height: float, rng: Generator) -> Texture:
    """A carpet with a coarse pattern and a border."""
    size = (texels(width), texels(height))
    pattern = cropped(photograph("immunohistochemistry"), *size, rng)
    tint = rng.uniform(0.4, 1, 3).astype(np.float32)
    weave = photograph("grass")[:256, :256]
    grain = 0.7 + 0.6 * cv2.resize(weave, size, interpolation=cv2.INTER_LINEAR) / np.float32(255)
    carpet = scaled(pattern, grain * tint)
    inset = texels(0.06)
    cv2.rectangle(
        carpet, (inset, inset), (size[0] - inset, size[1] - inset), (60, 45, 40), inset // 2
    )
    return carpet


def plain(colour: Colour) -> Material:
    """Lacquer or metal: nearly one colour."""
    return _tinted(partial(photograph, "moon"), colour, 0.15, 0.8)


def _tinted(
    tile: Callable[[], Texture], colour: Colour, contrast: float, tile_width: float
) -> Material:
    def material(width: float, height: float, rng: Generator) -> Texture:
        return tinted(tile(), colour, contrast, tile_width, width, height, rng)

    return material
