"""A room as data: textured parallelograms, the boxes that cast shadows, and the lights."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from dense_reloc_ros.geometry.arrays import FloatArray
from dense_reloc_ros.geometry.se3 import shifted

Texture = NDArray[np.uint8]
"""(h, w, 3) sRGB."""

Face = Literal["front", "back", "left", "right", "top", "bottom"]


@dataclass(frozen=True)
class Surface:
    """A textured parallelogram in the map frame (metres), visible from its front only.

    Seen from the front, the texture's top-left corner lies at `corner`, its columns run along
    `edge_u`, its rows along `edge_v`.
    """

    corner: FloatArray
    edge_u: FloatArray
    edge_v: FloatArray
    texture: Texture
    emission: float = 0.0
    """Irradiance added to what the lights give (1 shows the texture as it is)."""

    @property
    def normal(self) -> FloatArray:
        """The unit vector (3,) that points towards those who see the surface."""
        normal = np.cross(self.edge_v, self.edge_u)
        return np.asarray(normal / np.linalg.norm(normal))

    def part(self, columns: slice, rows: slice) -> Surface:
        """What lies under these columns and rows of its texture."""
        height, width = self.texture.shape[:2]
        left, right, _ = columns.indices(width)
        top, bottom, _ = rows.indices(height)
        return replace(
            self,
            corner=self.corner + left / width * self.edge_u + top / height * self.edge_v,
            edge_u=(right - left) / width * self.edge_u,
            edge_v=(bottom - top) / height * self.edge_v,
            texture=self.texture[rows, columns],
        )


@dataclass(frozen=True)
class Box:
    """A cuboid of `size` (x, y, z) metres that stands with the centre of its bottom at T_map_box.

    Its front looks along the negative y axis, and its right side along x.
    """

    T_map_box: FloatArray
    size: tuple[float, float, float]

    def face(self, name: Face, texture: Texture) -> Surface:
        """One side as a surface, its texture upright (the top as seen standing in front)."""
        w, d, h = self.size
        corner, u, v = {
            "front": ((-w / 2, -d / 2, h), (w, 0, 0), (0, 0, -h)),
            "back": ((w / 2, d / 2, h), (-w, 0, 0), (0, 0, -h)),
            "left": ((-w / 2, d / 2, h), (0, -d, 0), (0, 0, -h)),
            "right": ((w / 2, -d / 2, h), (0, d, 0), (0, 0, -h)),
            "top": ((-w / 2, d / 2, h), (w, 0, 0), (0, -d, 0)),
            "bottom": ((-w / 2, -d / 2, 0), (w, 0, 0), (0, d, 0)),
        }[name]
        rotation, translation = self.T_map_box[:3, :3], self.T_map_box[:3, 3]
        return Surface(
            rotation @ corner + translation,
            rotation @ np.array(u, dtype=float),
            rotation @ np.array(v, dtype=float),
            texture,
        )


@dataclass(frozen=True)
class Light:
    """A luminous plate or cuboid: brightest towards `facing`, dark behind (Lambert's law)."""

    centre: FloatArray
    size: FloatArray
    """(3,) metres along the axes of the map frame."""
    facing: FloatArray
    """(3,) unit vector."""
    intensity: FloatArray
    """(3,) linear RGB irradiance one metre in front of it; white paper under 1 is just white."""


@dataclass(frozen=True)
class Walkway:
    """The space between two ellipses around the middle of a room, in which nothing stands.

    Both are half axes (x, y) in metres.
    """

    inner: tuple[float, float]
    outer: tuple[float, float]


@dataclass(frozen=True)
class Room:
    """All that is in a room. The map frame lies on the floor in the middle, z up, unless moved."""

    size: tuple[float, float, float]
    """Length (x), width (y) and height (z) in metres."""
    surfaces: tuple[Surface, ...]
    shadow_boxes: tuple[Box, ...]
    lights: tuple[Light, ...]
    ambient: FloatArray
    """(3,) linear RGB irradiance everywhere, for the light that bounces."""
    walkway: Walkway

    def moved(self, offset: FloatArray) -> Room:
        """The same room with its middle at `offset` (3,) in the map frame."""
        return replace(
            self,
            surfaces=tuple(replace(one, corner=one.corner + offset) for one in self.surfaces),
            shadow_boxes=tuple(
                replace(box, T_map_box=shifted(box.T_map_box, offset)) for box in self.shadow_boxes
            ),
            lights=tuple(replace(light, centre=light.centre + offset) for light in self.lights),
        )
