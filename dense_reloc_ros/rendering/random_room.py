"""A furnished room for every seed, with space to walk around the table in its middle."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.random import Generator

from dense_reloc_ros.geometry.arrays import FloatArray
from dense_reloc_ros.rendering import furniture, materials
from dense_reloc_ros.rendering.doorway import with_doorway
from dense_reloc_ros.rendering.furniture import Furniture, upright_pose
from dense_reloc_ros.rendering.materials import Material
from dense_reloc_ros.rendering.photographs import PICTURES, Colour, photograph
from dense_reloc_ros.rendering.room import Box, Light, Room, Surface, Texture, Walkway

FURNITURE_DEPTH = 0.9
"""Metres from the walls within which furniture stands."""
CLEARANCE = 0.3
"""Metres between the walkway and what stands around it."""
PAINTS: tuple[Colour, ...] = ((228, 222, 210), (196, 206, 212), (206, 212, 188), (222, 196, 170))
FLOORS: tuple[Material, ...] = (
    materials.planks((165, 115, 75)),
    materials.planks((120, 90, 65)),
    materials.stone((150, 145, 138)),
)
SLOTS_PER_WALL = 3
TALL: tuple[Callable[[float, Generator], Furniture], ...] = (furniture.bookcase, furniture.door)
STANDING = (
    *(furniture.bookcase,) * 3,
    *(furniture.cabinet,) * 3,
    *(furniture.desk,) * 2,
    *(furniture.cartons,) * 2,
    furniture.sofa,
    furniture.door,
)
"""What stands in the slots along the four walls, in a random order."""

Size = tuple[float, float, float]


@dataclass
class _Contents:
    """What has been put into a room so far."""

    surfaces: list[Surface] = field(default_factory=list)
    boxes: list[Box] = field(default_factory=list)
    lights: list[Light] = field(default_factory=list)

    def add(self, item: Furniture, T_map_item: FloatArray) -> None:
        boxes, surfaces = item.placed(T_map_item)
        self.boxes += boxes
        self.surfaces += surfaces


@dataclass(frozen=True)
class _Wall:
    """A wall as seen by somebody who looks at it: x points right, y into it, z up."""

    T_map_wall: FloatArray
    """Origin on the floor, in the middle of the wall."""
    length: float

    def hung(self, x: float, z: float, size: tuple[float, float], texture: Texture) -> Surface:
        """A flat thing of `size` (width, height) centred at x, z, 1.5 cm before the wall."""
        box = Box(self.T_map_wall @ upright_pose((x, 0, z - size[1] / 2)), (size[0], 0.03, size[1]))
        return box.face("front", texture)


def random_room(seed: int, doorways: Collection[int] = ()) -> Room:
    """The room of a seed; the same seed gives the same room.

    `doorways` are walls that one can walk through in their middle: 0 is that at positive y, and
    they are counted counter-clockwise.
    """
    rng = np.random.default_rng(seed)
    length, width = float(rng.uniform(6.2, 7.4)), float(rng.uniform(5.4, 6.2))
    size = (length, width, float(rng.uniform(2.5, 2.8)))
    walls = [_wall(size, number) for number in range(4)]
    contents = _Contents()
    _add_floor_and_ceiling(contents, size, rng)
    _add_walls(contents, walls, size[2], doorways, rng)
    _furnish_walls(contents, walls, doorways, rng)
    table = (float(rng.uniform(0.9, 1.3)), float(rng.uniform(0.6, 0.8)))
    yaw = float(rng.choice([0.0, np.pi]) + rng.uniform(-0.1, 0.1))
    contents.add(furniture.central_table(*table, rng), upright_pose((0, 0, 0), yaw))
    _add_lamps(contents, size, rng)
    margin = FURNITURE_DEPTH + CLEARANCE
    return Room(
        size,
        tuple(contents.surfaces),
        tuple(contents.boxes),
        tuple(contents.lights),
        float(rng.uniform(0.15, 0.3)) * np.array([1.0, 0.97, 0.92]),
        Walkway(
            # The smallest ellipse around a rectangle: its half sides times the square root of two.
            (table[0] / 2 * 2**0.5 + CLEARANCE, table[1] / 2 * 2**0.5 + CLEARANCE),
            (length / 2 - margin, width / 2 - margin),
        ),
    )


def relit(room: Room, seed: int) -> Room:
    """The same room at another time of the day: every light has another strength."""
    rng = np.random.default_rng([seed, 5])
    lights = [
        replace(light, intensity=light.intensity * rng.uniform(0.3, 1.3)) for light in room.lights
    ]
    return replace(room, lights=tuple(lights), ambient=room.ambient * rng.uniform(0.6, 1.1))


def _wall(size: Size, number: int) -> _Wall:
    yaw = number * np.pi / 2
    distance, length = (size[1], size[0]) if number % 2 == 0 else (size[0], size[1])
    position = (-np.sin(yaw) * distance / 2, np.cos(yaw) * distance / 2, 0)
    return _Wall(upright_pose(position, yaw), length)


def _add_floor_and_ceiling(contents: _Contents, size: Size, rng: Generator) -> None:
    length, width, height = size
    floor = FLOORS[int(rng.integers(len(FLOORS)))](length, width, rng)
    contents.surfaces.append(Box(np.eye(4), (length, width, 0)).face("top", floor))
    ceiling = materials.plaster((235, 235, 230))(length, width, rng)
    above = Box(upright_pose((0, 0, height)), (length, width, 0))
    contents.surfaces.append(above.face("bottom", ceiling))
    shape = (float(rng.uniform(2.0, 2.6)), float(rng.uniform(1.4, 1.8)))
    rug = Box(upright_pose((0, 0, 0), float(rng.uniform(-0.2, 0.2))), (*shape, 0.008))
    contents.surfaces.append(rug.face("top", materials.rug(*shape, rng)))


def _add_walls(
    contents: _Contents,
    walls: list[_Wall],
    height: float,
    doorways: Collection[int],
    rng: Generator,
) -> None:
    paint = materials.plaster(PAINTS[int(rng.integers(len(PAINTS)))])
    brick_wall = int(rng.integers(4))
    for number, wall in enumerate(walls):
        material = materials.brick((165, 105, 85)) if number == brick_wall else paint
        texture = material(wall.length, height, rng)
        skirting = materials.plain((225, 222, 215))(wall.length, 0.08, rng)
        texture[-len(skirting) :] = skirting
        whole = Box(wall.T_map_wall, (wall.length, 0, height)).face("front", texture)
        contents.surfaces += with_doorway(whole) if number in doorways else [whole]


def _furnish_walls(
    contents: _Contents, walls: list[_Wall], doorways: Collection[int], rng: Generator
) -> None:
    makers = [STANDING[i] for i in rng.permutation(len(STANDING))]
    pictures = [str(name) for name in rng.permutation(PICTURES)]
    low = [slot for slot, make in enumerate(makers) if make not in TALL]
    windows = {int(slot) for slot in rng.choice(low, 2, replace=False)}
    ways = {number * SLOTS_PER_WALL + SLOTS_PER_WALL // 2 for number in doorways}
    for slot, make in enumerate(makers):
        if slot in ways:
            continue
        wall = walls[slot // SLOTS_PER_WALL]
        space = (wall.length - 2 * FURNITURE_DEPTH) / SLOTS_PER_WALL
        x = (slot % SLOTS_PER_WALL - (SLOTS_PER_WALL - 1) / 2) * space
        width = min(1.7, space - float(rng.uniform(0.05, 0.2)))
        contents.add(make(width, rng), wall.T_map_wall @ upright_pose((x, -0.02, 0)))
        if slot in windows:
            _add_window(contents, wall, x, width, rng)
        elif make not in TALL:
            contents.surfaces.append(_picture(wall, x, width, pictures.pop(), rng))


def _add_window(contents: _Contents, wall: _Wall, x: float, space: float, rng: Generator) -> None:
    width, height, z = 0.9 * space, 1.05, 1.65
    view = wall.hung(x, z, (width, height), materials.window_view(width, height, rng))
    contents.surfaces.append(replace(view, emission=1.0))
    centre = wall.T_map_wall @ [x, -0.1, z, 1]
    extent = np.abs(wall.T_map_wall[:3, :3] @ [width, 0.05, height])
    daylight = float(rng.uniform(2, 5)) * np.array([0.9, 0.97, 1.1])
    contents.lights.append(Light(centre[:3], extent, -wall.T_map_wall[:3, 1], daylight))


def _picture(wall: _Wall, x: float, space: float, name: str, rng: Generator) -> Surface:
    rows, columns = photograph(name).shape[:2]
    height = float(rng.uniform(0.55, 0.8))
    width = min(space, height * columns / rows)
    x += float(rng.uniform(-0.5, 0.5)) * (space - width)
    z = float(rng.uniform(1.6, 1.8))
    return wall.hung(x, z, (width, height), materials.picture(name)(width, height, rng))


def _add_lamps(contents: _Contents, size: Size, rng: Generator) -> None:
    length, width, height = size
    glass = np.full((8, 24, 3), 250, dtype=np.uint8)
    for x in (-length / 4, length / 4):
        x, y = x + float(rng.uniform(-0.5, 0.5)), float(rng.uniform(-0.25, 0.25)) * width
        panel = Box(upright_pose((x, y, height - 0.02)), (0.9, 0.25, 0.02))
        contents.surfaces.append(replace(panel.face("bottom", glass), emission=3.0))
        colour = np.array([1.0, rng.uniform(0.8, 0.97), rng.uniform(0.65, 0.95)])
        contents.lights.append(
            Light(
                np.array([x, y, height - 0.06]),
                np.array(panel.size),
                np.array([0.0, 0.0, -1.0]),
                float(rng.uniform(3, 7)) * colour,
            )
        )
