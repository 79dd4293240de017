"""Furniture as textured boxes. Everything stands with its back against y = 0 and looks along -y."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.random import Generator
from scipy.spatial.transform import Rotation

from dense_reloc_ros.geometry.arrays import FloatArray
from dense_reloc_ros.geometry.se3 import rigid
from dense_reloc_ros.rendering import materials
from dense_reloc_ros.rendering.materials import Material
from dense_reloc_ros.rendering.photographs import PICTURES
from dense_reloc_ros.rendering.room import Box, Face, Surface

BOARDS: tuple[Material, ...] = (
    materials.wood((160, 115, 75)),
    materials.wood((105, 72, 50)),
    materials.wood((195, 165, 125)),
    materials.plain((222, 220, 214)),
)
FABRICS: tuple[Material, ...] = (
    materials.fabric((70, 85, 110)),
    materials.fabric((120, 60, 50)),
    materials.fabric((85, 105, 80)),
    materials.fabric((140, 130, 115)),
)
UPRIGHT: tuple[Face, ...] = ("front", "left", "right", "back")
VISIBLE: tuple[Face, ...] = (*UPRIGHT, "top")


@dataclass
class Furniture:
    """Boxes and surfaces being put together in a local frame."""

    rng: Generator
    boxes: list[Box] = field(default_factory=list)
    surfaces: list[Surface] = field(default_factory=list)

    def add(
        self,
        position: Sequence[float],
        size: tuple[float, float, float],
        material: Material,
        faces: Sequence[Face] = VISIBLE,
        front: Material | None = None,
        yaw: float = 0.0,
    ) -> None:
        """A box with the centre of its bottom at `position`, turned by `yaw` radians."""
        box = Box(upright_pose(position, yaw), size)
        self.boxes.append(box)
        for face in faces:
            width = size[1] if face in ("left", "right") else size[0]
            height = size[1] if face in ("top", "bottom") else size[2]
            chosen = front if face == "front" and front else material
            self.surfaces.append(box.face(face, chosen(width, height, self.rng)))

    def placed(self, T_map_furniture: FloatArray) -> tuple[list[Box], list[Surface]]:
        """Its boxes and surfaces in the map frame."""
        rotation, translation = T_map_furniture[:3, :3], T_map_furniture[:3, 3]
        boxes = [Box(T_map_furniture @ box.T_map_box, box.size) for box in self.boxes]
        surfaces = [
            Surface(
                rotation @ s.corner + translation,
                rotation @ s.edge_u,
                rotation @ s.edge_v,
                s.texture,
                s.emission,
            )
            for s in self.surfaces
        ]
        return boxes, surfaces


def upright_pose(position: Sequence[float], yaw: float = 0.0) -> FloatArray:
    """The pose (4, 4) of something upright."""
    return rigid(Rotation.from_euler("z", yaw).as_matrix(), np.array(position, dtype=float))


def bookcase(width: float, rng: Generator) -> Furniture:
    """Open shelves with books and cartons."""
    item = Furniture(rng)
    height, depth, board = float(rng.uniform(1.6, 2.1)), 0.36, 0.03
    material = _choice(rng, BOARDS)
    for side in (-1, 1):
        x = side * (width - board) / 2
        item.add((x, -depth / 2, 0), (board, depth, height), material, (*UPRIGHT[:3], "top"))
    inner = width - 2 * board
    levels = int(rng.integers(4, 6))
    for level in range(levels + 1):
        z = level * (height - board) / levels
        faces: tuple[Face, ...] = ("front", "top", "bottom")
        item.add((0, -depth / 2, z), (inner, depth, board), material, faces)
        if level < levels:
            space = (height - board) / levels - board
            _fill_shelf(item, z + board, inner, depth, space)
    back = Box(upright_pose((0, 0.01, 0)), (inner, 0.04, height))
    item.surfaces.append(back.face("front", material(inner, height, rng)))
    return item


def _fill_shelf(item: Furniture, z: float, inner: float, depth: float, space: float) -> None:
    left = -inner / 2 + 0.02
    while left < inner / 2 - 0.2:
        width = min(float(item.rng.uniform(0.2, 0.5)), inner / 2 - 0.01 - left)
        if item.rng.random() < 0.8:
            books = item.rng.random() < 0.65
            size = (width, 0.24, min(space - 0.02, float(item.rng.uniform(0.2, 0.3))))
            side = materials.plain((200, 190, 170)) if books else materials.carton
            front = materials.books if books else None
            y = -depth + 0.14 + float(item.rng.uniform(0.01, 0.06))
            item.add((left + width / 2, y, z), size, side, ("front", "left", "right", "top"), front)
        left += width + float(item.rng.uniform(0.02, 0.12))


def cabinet(width: float, rng: Generator) -> Furniture:
    """A sideboard with things on it."""
    item = Furniture(rng)
    height, depth = float(rng.uniform(0.7, 1.0)), 0.45
    board = _choice(rng, BOARDS)
    front = materials.cabinet_front(board, max(1, round(width / 0.5)), int(rng.integers(1, 4)))
    item.add((0, -depth / 2, 0), (width, depth, height), board, VISIBLE, front)
    _clutter(item, width, (-depth / 2, 0.08), height)
    return item


def desk(width: float, rng: Generator) -> Furniture:
    """A table against the wall with a screen on it and a drawer unit below."""
    item = Furniture(rng)
    board = _choice(rng, BOARDS)
    _table(item, (0, -0.35, 0), (width, 0.7, 0.74), board)
    drawers = materials.cabinet_front(board, 1, 3)
    x = float(rng.choice([-1, 1])) * (width / 2 - 0.3)
    item.add((x, -0.35, 0), (0.4, 0.55, 0.6), board, UPRIGHT, drawers)
    black = materials.plain((40, 40, 45))
    screen = materials.printed(str(rng.choice(PICTURES)))
    item.add((-x / 2, -0.2, 0.84), (0.62, 0.04, 0.38), black, (*VISIBLE, "bottom"), screen)
    item.add((-x / 2, -0.19, 0.74), (0.08, 0.05, 0.15), black, UPRIGHT)
    _clutter(item, width * 0.9, (-0.5, 0.06), 0.74, count=2, largest=0.2)
    return item


def sofa(width: float, rng: Generator) -> Furniture:
    """A sofa with cushions."""
    item = Furniture(rng)
    material = _choice(rng, FABRICS)
    item.add((0, -0.45, 0), (width - 0.36, 0.82, 0.42), material)
    item.add((0, -0.13, 0.42), (width - 0.36, 0.24, 0.4), material)
    for side in (-1, 1):
        item.add((side * (width / 2 - 0.09), -0.45, 0), (0.18, 0.86, 0.6), material)
    for x in (-width / 4, width / 4):
        cushion = _choice(rng, FABRICS)
        item.add((x, -0.33, 0.42), (0.42, 0.12, 0.36), cushion, yaw=float(rng.uniform(-0.3, 0.3)))
    return item


def cartons(width: float, rng: Generator) -> Furniture:
    """A pile of cardboard boxes."""
    item = Furniture(rng)
    left = -width / 2
    while left < width / 2 - 0.4:
        size, z = float(rng.uniform(0.35, 0.55)), 0.0
        for _ in range(int(rng.integers(1, 4))):
            box = (size, size * 0.8, float(rng.uniform(0.25, 0.4)))
            yaw = float(rng.uniform(-0.25, 0.25))
            item.add((left + size / 2, -0.35, z), box, materials.carton, yaw=yaw)
            z += box[2]
            size *= 0.9
        left += 0.6
    return item


def door(width: float, rng: Generator) -> Furniture:
    """A closed door in its frame."""
    item = Furniture(rng)
    board = _choice(rng, BOARDS)
    panels = materials.cabinet_front(board, 1, 2)
    item.add((0, 0, 0), (0.95, 0.04, 2.05), materials.plain((225, 222, 215)), ("front",))
    item.add((0, -0.03, 0), (0.82, 0.02, 1.98), board, UPRIGHT[:3], panels)
    return item


def central_table(width: float, depth: float, rng: Generator) -> Furniture:
    """A low table for the middle of the room (centred at its origin) with things on it."""
    item = Furniture(rng)
    height = float(rng.uniform(0.5, 0.76))
    _table(item, (0, 0, 0), (width, depth, height), _choice(rng, BOARDS))
    _clutter(item, width * 0.85, (0, depth / 5), height, count=4)
    return item


def _table(
    item: Furniture,
    centre: tuple[float, float, float],
    size: tuple[float, float, float],
    material: Material,
) -> None:
    x, y, z = centre
    width, depth, height = size
    item.add((x, y, z + height - 0.04), (width, depth, 0.04), material)
    for i in (-1, 1):
        for j in (-1, 1):
            corner = (x + i * (width / 2 - 0.05), y + j * (depth / 2 - 0.05), z)
            item.add(corner, (0.06, 0.06, height - 0.04), material, UPRIGHT)


def _clutter(
    item: Furniture,
    width: float,
    y_range: tuple[float, float],
    z: float,
    count: int = 3,
    largest: float = 0.3,
) -> None:
    """Boxes side by side on top of something: books, cartons, cards."""
    rng, step = item.rng, width / count
    for i in range(count):
        size = (
            float(rng.uniform(0.12, min(largest, step * 0.8))),
            float(rng.uniform(0.12, 0.22)),
            float(rng.uniform(0.06, largest)),
        )
        cover = materials.printed(str(rng.choice(PICTURES)))
        material = cover if rng.random() < 0.5 else materials.carton
        x = -width / 2 + (i + 0.5) * step
        y = y_range[0] + float(rng.uniform(-1, 1)) * y_range[1]
        item.add((x, y, z), size, material, yaw=float(rng.uniform(-0.5, 0.5)))


def _choice(rng: Generator, among: tuple[Material, ...]) -> Material:
    return among[int(rng.integers(len(among)))]
