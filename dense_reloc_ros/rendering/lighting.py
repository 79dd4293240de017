"""Diffuse light with soft shadows, computed once per room and multiplied into its textures."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from dense_reloc_ros.geometry.arrays import FloatArray, Mask
from dense_reloc_ros.rendering.room import Box, Light, Room, Surface, Texture


@dataclass(frozen=True)
class LightSampling:
    """How finely light is computed."""

    cell: float = 0.08
    """Metres between two samples of the irradiance on a surface."""
    rays: int = 12
    """From each sample to a light."""


FINE_LIGHT = LightSampling()
COARSE_LIGHT = LightSampling(0.16, 5)
"""A fifth of the work, for small images."""
SURFACE_OFFSET = 0.004
"""Metres above a surface at which its light is computed, so that it does not shade itself."""


def lit_textures(room: Room, sampling: LightSampling = FINE_LIGHT) -> list[Texture]:
    """The texture of every surface as it looks in the light of the room."""
    shapes = [_cell_shape(surface, sampling.cell) for surface in room.surfaces]
    cells = np.concatenate(
        [_cells(surface, shape) for surface, shape in zip(room.surfaces, shapes, strict=True)]
    )
    counts = [rows * columns for rows, columns in shapes]
    normals = np.repeat([surface.normal for surface in room.surfaces], counts, axis=0)
    light = np.split(irradiance(cells, normals, room, sampling.rays), np.cumsum(counts)[:-1])
    return [
        shaded(surface.texture, cell_light.reshape(*shape, 3) + surface.emission)
        for surface, cell_light, shape in zip(room.surfaces, light, shapes, strict=True)
    ]


def irradiance(
    points: FloatArray, normals: FloatArray, room: Room, samples: int = FINE_LIGHT.rays
) -> FloatArray:
    """Linear RGB irradiance (N, 3) at points (N, 3) of surfaces with normals (N, 3).

    Direct light with shadows; what bounces is the room's constant ambient term.
    """
    total = np.tile(room.ambient, (len(points), 1))
    for seed, light in enumerate(room.lights):
        offsets = np.random.default_rng(seed).uniform(-0.5, 0.5, (samples, 3))
        rays = (light.centre + offsets * light.size) - points[:, None]
        squared = np.einsum("nsi,nsi->ns", rays, rays)
        received = np.clip(np.einsum("nsi,ni->ns", rays, normals), 0, None)
        emitted = np.clip(-rays @ light.facing, 0, None)
        strength = received * emitted / squared**2
        lit = np.flatnonzero(strength.any(axis=1))
        strength[lit] *= ~_in_shadow(points[lit], rays[lit], light, room.shadow_boxes)
        total += strength.mean(axis=1)[:, None] * light.intensity
    return total


def shaded(texture: Texture, light: FloatArray) -> Texture:
    """A texture (h, w, 3) under irradiance (rows, columns, 3), both spread over one surface."""
    height, width = texture.shape[:2]
    smooth = cv2.resize(light.astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR)
    linear = (np.arange(256, dtype=np.float32) / 255) ** 2.2
    exposed = linear[texture] * smooth
    # A camera's response: linear in the dark, and a shoulder instead of clipping in the bright.
    exposed /= np.sqrt(1 + 0.25 * exposed**2)
    return np.clip(exposed ** np.float32(1 / 2.2) * 255 + 0.5, 0, 255).astype(np.uint8)


def _in_shadow(points: FloatArray, rays: FloatArray, light: Light, boxes: tuple[Box, ...]) -> Mask:
    """Which segments points (N, 3) + [0, 1] * rays (N, S, 3) meet a box: (N, S)."""
    shadow = np.zeros(rays.shape[:2], dtype=bool)
    axes = light.centre - points
    squared_lengths = np.einsum("ni,ni->n", axes, axes)
    for box in boxes:
        rotation, half = box.T_map_box[:3, :3], np.array(box.size) / 2
        centre = box.T_map_box[:3, 3] + rotation[:, 2] * half[2]
        # Only points whose cone to the light may touch the sphere around the box are worth a test.
        to_centre = centre - points
        along = np.clip(np.einsum("ni,ni->n", to_centre, axes) / squared_lengths, 0, 1)
        distance = np.linalg.norm(to_centre - along[:, None] * axes, axis=1)
        near = np.flatnonzero(distance < np.linalg.norm(half) + np.linalg.norm(light.size) / 2)
        start, direction = -to_centre[near] @ rotation, rays[near] @ rotation
        shadow[near] |= _meets_cuboid(start[:, None], direction, half)
    return shadow


def _meets_cuboid(start: FloatArray, direction: FloatArray, half: FloatArray) -> Mask:
    """Whether start + [0, 1] * direction (..., 3) meets the cuboid |x| < half (the slab method)."""
    safe = np.where(np.abs(direction) < 1e-12, 1e-12, direction)
    one, other = (-half - start) / safe, (half - start) / safe
    enter = np.minimum(one, other).max(axis=-1)
    leave = np.maximum(one, other).min(axis=-1)
    return np.asarray((enter < leave) & (leave > 0) & (enter < 1))


def _cell_shape(surface: Surface, cell: float) -> tuple[int, int]:
    """Rows and columns of the cells of a surface."""
    rows, columns = (
        max(2, int(np.ceil(np.linalg.norm(edge) / cell)))
        for edge in (surface.edge_v, surface.edge_u)
    )
    return rows, columns


def _cells(surface: Surface, shape: tuple[int, int]) -> FloatArray:
    """The centres (rows * columns, 3) of the cells of a surface, row by row."""
    b, a = ((np.arange(n) + 0.5) / n for n in shape)
    centres = surface.corner + b[:, None, None] * surface.edge_v + a[:, None] * surface.edge_u
    return np.asarray((centres + SURFACE_OFFSET * surface.normal).reshape(-1, 3))
