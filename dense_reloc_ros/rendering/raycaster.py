"""Images and exact depth of a room: every pixel's ray meets the planes of all surfaces.

In homogeneous coordinates this is one 3x3 matrix per surface. With u, v its edges and c its corner
in the camera frame, the point (a, b) on it is seen at pixel (x, y) with depth z where
    K [u v c] (a, b, 1)^T = z (x, y, 1)^T    so    (a, b, 1)^T / z = (K [u v c])^-1 (x, y, 1)^T.
The right-hand side is affine in the pixel; its third row gives 1/z exactly, and what is hit is
decided without a division. Colours are sampled from mip levels, twice per pixel and axis.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from dense_reloc_ros.errors import InputError
from dense_reloc_ros.geometry.arrays import Float32Array, FloatArray
from dense_reloc_ros.geometry.camera import Camera
from dense_reloc_ros.geometry.se3 import inverse
from dense_reloc_ros.rendering.atlas import TextureAtlas
from dense_reloc_ros.rendering.lighting import FINE_LIGHT, LightSampling, lit_textures
from dense_reloc_ros.rendering.room import Room

NEAREST = 0.05
"""Metres in front of the camera from which on things are seen."""
SUPERSAMPLING = 2


@dataclass(frozen=True)
class Rendering:
    """What a camera sees."""

    image: NDArray[np.uint8]
    """(H, W, 3) RGB."""
    depth: Float32Array
    """(H, W) metres along the optical axis at the pixel centres, 0 where nothing is hit."""


@dataclass(frozen=True)
class _Hits:
    """The nearest surface of every pixel, all (H, W)."""

    surface: NDArray[np.intp]
    """Index of the surface; 0 where nothing is hit."""
    a: Float32Array
    """Position along edge_u, 0 to 1."""
    b: Float32Array
    """Position along edge_v, 0 to 1."""
    inverse_depth: Float32Array
    """1/m, 0 where nothing is hit."""


class Raycaster:
    """Renders rooms, each in its own light; lights them and packs their textures when made."""

    def __init__(self, *rooms: Room, light: LightSampling = FINE_LIGHT) -> None:
        surfaces = [surface for room in rooms for surface in room.surfaces]
        self._edges_and_corners = np.stack(
            [np.stack([s.edge_u, s.edge_v, s.corner], axis=1) for s in surfaces]
        )
        self._atlas = TextureAtlas(
            [texture for room in rooms for texture in lit_textures(room, light)]
        )

    def render(self, camera: Camera, T_map_camera: FloatArray) -> Rendering:
        """The view of a pinhole camera at a pose (4, 4).

        Raises:
            InputError: a camera with distortion.
        """
        if camera.is_distorted:
            raise InputError("the renderer has no lens distortion: use camera.pinhole()")
        inverse_depth = self._cast(camera, T_map_camera)[0].inverse_depth
        hit = inverse_depth > 0
        depth = np.divide(1, inverse_depth, out=np.zeros_like(inverse_depth), where=hit)
        fine = camera.scaled(camera.width * SUPERSAMPLING, camera.height * SUPERSAMPLING)
        colours = self._colours(*self._cast(fine, T_map_camera))
        image = cv2.resize(colours, (camera.width, camera.height), interpolation=cv2.INTER_AREA)
        return Rendering(np.asarray(image, dtype=np.uint8), depth)

    def _cast(self, camera: Camera, T_map_camera: FloatArray) -> tuple[_Hits, FloatArray]:
        """What each pixel hits, and the matrices (S, 3, 3) from (x, y, 1) to (a, b, 1) / z."""
        shape = (camera.height, camera.width)
        surface = np.zeros(shape, dtype=np.intp)
        a, b, inverse_depth = (np.zeros(shape, dtype=np.float32) for _ in range(3))
        T_camera_map = inverse(T_map_camera)
        to_pixels = T_camera_map[:3, :3] @ self._edges_and_corners
        to_pixels[:, :, 2] += T_camera_map[:3, 3]
        to_pixels = camera.matrix @ to_pixels
        from_pixels = np.zeros_like(to_pixels)
        # A positive determinant, c . (u x v), means that the camera is in front of the surface.
        for index in np.flatnonzero(np.linalg.det(to_pixels) > 1e-9):
            window = _window(to_pixels[index], camera)
            if window is None:
                continue
            rows, columns = window
            from_pixels[index] = np.linalg.inv(to_pixels[index])
            x, y = np.arange(columns.start, columns.stop), np.arange(rows.start, rows.stop)
            across = (from_pixels[index, :, :1] * x).astype(np.float32)
            down = (from_pixels[index, :, 1:2] * y + from_pixels[index, :, 2:]).astype(np.float32)
            a_w, b_w, w = across[:, None, :] + down[:, :, None]
            hit = (w > inverse_depth[window]) & (w < 1 / NEAREST)
            hit &= (a_w >= 0) & (a_w <= w) & (b_w >= 0) & (b_w <= w)
            np.copyto(inverse_depth[window], w, where=hit)
            np.copyto(a[window], a_w, where=hit)
            np.copyto(b[window], b_w, where=hit)
            surface[window][hit] = index
        hit = inverse_depth > 0
        np.divide(a, inverse_depth, out=a, where=hit)
        np.divide(b, inverse_depth, out=b, where=hit)
        return _Hits(surface, a, b, inverse_depth), from_pixels

    def _colours(self, hits: _Hits, from_pixels: FloatArray) -> NDArray[np.uint8]:
        """The colours (H, W, 3) of what is hit, black elsewhere."""
        hit = hits.inverse_depth > 0
        # How far a and b move from one pixel to the next: the quotient rule on (a / z) / (1 / z).
        m = np.ascontiguousarray(np.moveaxis(from_pixels.astype(np.float32), 0, -1))
        width, height = self._atlas.sizes.T
        squared = np.zeros_like(hits.a)
        for axis in (0, 1):
            slope = m[2, axis][hits.surface]
            du = (m[0, axis][hits.surface] - hits.a * slope) * width[hits.surface]
            dv = (m[1, axis][hits.surface] - hits.b * slope) * height[hits.surface]
            np.maximum(squared, du * du + dv * dv, out=squared)
        texels = np.divide(np.sqrt(squared), hits.inverse_depth, out=squared, where=hit)
        colours = self._atlas.sample(hits.surface, hits.a, hits.b, texels)
        colours[~hit] = 0
        return colours


def _window(to_pixels: FloatArray, camera: Camera) -> tuple[slice, slice] | None:
    """The rows and columns that may see a surface, given its matrix to pixels; None for none."""
    unit_square = np.array([[0, 0, 1], [1, 0, 1], [1, 1, 1], [0, 1, 1]])
    corners = unit_square @ to_pixels.T
    visible = []
    for here, there in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        if here[2] >= NEAREST:
            visible.append(here)
        if (here[2] >= NEAREST) != (there[2] >= NEAREST):
            share = (NEAREST - here[2]) / (there[2] - here[2])
            visible.append(here + share * (there - here))
    if not visible:
        return None
    pixels = np.array(visible)[:, :2] / np.array(visible)[:, 2:]
    low = np.clip(np.floor(pixels.min(axis=0)), 0, None).astype(int)
    high = np.clip(np.ceil(pixels.max(axis=0)) + 1, None, (camera.width, camera.height)).astype(int)
    if (low >= high).any():
        return None
    return slice(low[1], high[1]), slice(low[0], high[0])
