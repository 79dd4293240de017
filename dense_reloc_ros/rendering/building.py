"""A building: two furnished rooms and the corridor between them, in one map frame."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.random import Generator

from dense_reloc_ros.geometry.arrays import FloatArray
from dense_reloc_ros.rendering import furniture, materials
from dense_reloc_ros.rendering.doorway import with_doorway
from dense_reloc_ros.rendering.furniture import upright_pose
from dense_reloc_ros.rendering.photographs import PICTURES
from dense_reloc_ros.rendering.random_room import random_room, relit
from dense_reloc_ros.rendering.room import Box, Room, Surface, Walkway

CORRIDOR = (8.0, 2.0, 2.5)
"""Length (x), width (y) and height (z) in metres."""
EAST, WEST = 3, 1
"""The walls at positive and at negative x, as `random_room` counts them."""
BRIGHTNESS = 0.8
"""Irradiance in the corridor, the same everywhere."""
SECTIONS = 4
"""Of each of the corridor's sides: each has a door, and a picture beside it."""


@dataclass(frozen=True)
class Building:
    """Rooms in one map frame, the origin of which lies in the middle of the corridor."""

    west: Room
    corridor: Room
    east: Room
    west_middle: FloatArray
    """(3,) of the room, on its floor."""
    east_middle: FloatArray
    """(3,)."""

    @property
    def rooms(self) -> tuple[Room, Room, Room]:
        """From west to east."""
        return self.west, self.corridor, self.east

    def relit(self, seed: int) -> Building:
        """The same building at another time of the day."""
        dimmer = float(np.random.default_rng([seed, 6]).uniform(0.6, 1.1))
        return replace(
            self,
            west=relit(self.west, seed),
            corridor=replace(self.corridor, ambient=dimmer * self.corridor.ambient),
            east=relit(self.east, seed + 1),
        )


def random_building(seed: int) -> Building:
    """The building of a seed; the same seed gives the same building."""
    west, east = random_room(2 * seed, [EAST]), random_room(2 * seed + 1, [WEST])
    corridor = _corridor(np.random.default_rng([seed, 7]))
    west_middle = np.array([-(CORRIDOR[0] + west.size[0]) / 2, 0.0, 0.0])
    east_middle = np.array([(CORRIDOR[0] + east.size[0]) / 2, 0.0, 0.0])
    return Building(
        west.moved(west_middle), corridor, east.moved(east_middle), west_middle, east_middle
    )


def _corridor(rng: Generator) -> Room:
    length, width, height = CORRIDOR
    paint = materials.plaster((222, 214, 200))
    floor = materials.stone((150, 145, 138))(length, width, rng)
    ceiling = materials.plaster((235, 235, 230))(length, width, rng)
    surfaces = [
        Box(np.eye(4), (length, width, 0)).face("top", floor),
        Box(upright_pose((0, 0, height)), (length, width, 0)).face("bottom", ceiling),
    ]
    for yaw in (-np.pi / 2, np.pi / 2):
        end = Box(upright_pose((-np.sin(yaw) * length / 2, 0, 0), yaw), (width, 0, height))
        surfaces += with_doorway(end.face("front", paint(width, height, rng)))
    pictures = [str(name) for name in rng.permutation(PICTURES)]
    for yaw in (0.0, np.pi):
        wall = upright_pose((0, np.cos(yaw) * width / 2, 0), yaw)
        side = Box(wall, (length, 0, height))
        surfaces.append(side.face("front", paint(length, height, rng)))
        for number in range(SECTIONS):
            x = (number + 0.5) * length / SECTIONS - length / 2
            surfaces += _section(wall @ upright_pose((x, 0, 0)), pictures.pop(), rng)
    ambient = np.full(3, BRIGHTNESS)
    return Room(
        CORRIDOR, tuple(surfaces), (), (), ambient, Walkway((0, 0), (length / 2, width / 2))
    )


def _section(T_map_wall: FloatArray, picture: str, rng: Generator) -> list[Surface]:
    """A door and a picture, anywhere in the section; no two sections are alike."""
    door, beside = float(rng.uniform(-0.45, -0.4)), float(rng.uniform(0.5, 0.6))
    size = (float(rng.uniform(0.5, 0.7)), float(rng.uniform(0.6, 0.9)))
    hook = upright_pose((beside, 0, float(rng.uniform(0.9, 1.2))))
    frame = Box(T_map_wall @ hook, (size[0], 0.02, size[1]))
    return [
        *furniture.door(1.0, rng).placed(T_map_wall @ upright_pose((door, 0, 0)))[1],
        frame.face("front", materials.picture(picture)(*size, rng)),
    ]
