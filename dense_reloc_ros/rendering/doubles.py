"""Rooms that are easily taken for another: the same furniture between other walls."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
from numpy.random import Generator

from dense_reloc_ros.rendering import materials
from dense_reloc_ros.rendering.materials import Material
from dense_reloc_ros.rendering.photographs import PICTURES
from dense_reloc_ros.rendering.room import Room, Surface, Texture

WALLS: tuple[Material, ...] = (
    materials.plaster((205, 180, 160)),
    materials.plaster((170, 195, 185)),
    materials.stone((190, 185, 175)),
    materials.brick((150, 130, 120)),
)
ON_THE_WALL = 0.018
"""Metres from a wall within which things belong to it: pictures, but no furniture."""


def with_other_walls(room: Room, seed: int) -> Room:
    """The room with its furniture, floor, windows and lamps, and other walls and pictures."""
    rng = np.random.default_rng(seed)
    pictures = [str(name) for name in rng.permutation(PICTURES)]
    walls = [WALLS[index] for index in rng.permutation(len(WALLS))]
    surfaces = []
    for surface in room.surfaces:
        if is_wall(surface, room):
            surface = replace(surface, texture=_made_of(walls.pop(), surface, rng))
        elif is_picture(surface, room):
            picture = materials.picture(pictures.pop())
            surface = replace(surface, texture=_made_of(picture, surface, rng))
        surfaces.append(surface)
    return replace(room, surfaces=tuple(surfaces))


def is_wall(surface: Surface, room: Room) -> bool:
    """Whether a surface is one of the four walls."""
    is_long = float(np.linalg.norm(surface.edge_u)) > min(room.size[:2]) / 2
    return is_long and _distance(surface, room) < 1e-6


def is_picture(surface: Surface, room: Room) -> bool:
    """Whether a surface hangs on a wall and is no window."""
    return 1e-6 <= _distance(surface, room) < ON_THE_WALL and not surface.emission


def _distance(surface: Surface, room: Room) -> float:
    """From the wall that a surface stands before, metres; infinite where it faces no room."""
    normal = surface.normal
    axis = int(np.abs(normal[:2]).argmax())
    if abs(normal[axis]) < 0.999:
        return float("inf")
    # A wall at the positive end of an axis looks towards the negative one.
    side = -np.sign(normal[axis])
    return float(abs(side * room.size[axis] / 2 - surface.corner[axis]))


def _made_of(material: Material, surface: Surface, rng: Generator) -> Texture:
    width, height = (float(np.linalg.norm(edge)) for edge in (surface.edge_u, surface.edge_v))
    texture = material(width, height, rng)
    rows, columns = surface.texture.shape[:2]
    return np.asarray(cv2.resize(texture, (columns, rows)), dtype=np.uint8)
