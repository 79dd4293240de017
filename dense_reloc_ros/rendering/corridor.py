"""A corridor of equal doors: what one of them shows, all of them show."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator

from dense_reloc_ros.geometry.arrays import FloatArray
from dense_reloc_ros.geometry.se3 import rigid
from dense_reloc_ros.rendering import furniture, materials
from dense_reloc_ros.rendering.furniture import upright_pose
from dense_reloc_ros.rendering.paths import OPTICAL
from dense_reloc_ros.rendering.room import Box, Room, Surface, Walkway

DOORS = 10
SECTION = 2.4
"""Metres from one door to the next."""
WIDTH, HEIGHT = 2.6, 2.5
NOTICE = (0.6, 0.85)
"""Width and height in metres of what hangs beside each door."""


def corridor_of_doors(seed: int, doors: int = DOORS) -> Room:
    """A corridor along x, with its doors on the side of positive y; only the two ends differ.

    All sections have the same textures in the same light, so that no image that shows none of the
    ends tells which door it shows.
    """
    rng = np.random.default_rng(seed)
    section = _section(rng)
    length = doors * SECTION
    surfaces: list[Surface] = []
    for number in range(doors):
        along = upright_pose((door_position(number, doors), 0, 0))
        surfaces += furniture.Furniture(rng, [], section).placed(along)[1]
    for yaw, picture in ((-np.pi / 2, "astronaut"), (np.pi / 2, "motorcycle")):
        wall = upright_pose((-np.sin(yaw) * length / 2, 0, 0), yaw)
        material = materials.printed(picture)(WIDTH, HEIGHT, rng)
        surfaces.append(Box(wall, (WIDTH, 0, HEIGHT)).face("front", material))
    size = (length, WIDTH, HEIGHT)
    return Room(size, tuple(surfaces), (), (), np.full(3, 0.8), Walkway((0, 0), (length / 2, 1)))


def door_position(number: int, doors: int = DOORS) -> float:
    """Where the middle of a door lies along x."""
    return (number - (doors - 1) / 2) * SECTION


def facing_doors(x: FloatArray, seed: int) -> FloatArray:
    """Poses (N, 4, 4) of a camera at positions (N,) along the corridor that looks at the doors.

    It stands 1.5 to 2 m away from them, and looks up to 15 degrees aside, so that no end is in
    sight but from beside it.
    """
    rng = np.random.default_rng(seed)
    yaws = np.pi / 2 + np.radians(rng.uniform(-15, 15, len(x)))
    poses = []
    for position, yaw in zip(x, yaws, strict=True):
        place = (position, WIDTH / 2 - rng.uniform(1.5, 2.0), rng.uniform(1.2, 1.5))
        poses.append(upright_pose(place, yaw) @ rigid(OPTICAL, np.zeros(3)))
    return np.stack(poses)


def _section(rng: Generator) -> list[Surface]:
    """What repeats itself: a door in its wall and a notice, the wall behind, floor and ceiling."""
    wall, behind = upright_pose((0, WIDTH / 2, 0)), upright_pose((0, -WIDTH / 2, 0), np.pi)
    upright, flat = (SECTION, 0, HEIGHT), (SECTION, WIDTH, 0)
    paint = materials.plaster((222, 214, 200))
    floor = materials.stone((150, 145, 138))(SECTION, WIDTH, rng)
    ceiling = materials.plaster((235, 235, 230))(SECTION, WIDTH, rng)
    notice = Box(wall @ upright_pose((0.85, 0, 1.1)), (NOTICE[0], 0.02, NOTICE[1]))
    return [
        Box(wall, upright).face("front", paint(SECTION, HEIGHT, rng)),
        *furniture.door(1.0, rng).placed(wall)[1],
        notice.face("front", materials.picture("page")(*NOTICE, rng)),
        Box(behind, upright).face("front", paint(SECTION, HEIGHT, rng)),
        Box(np.eye(4), flat).face("top", floor),
        Box(upright_pose((0, 0, HEIGHT)), flat).face("bottom", ceiling),
    ]
