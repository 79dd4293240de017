"""All textures of a room with their mip levels in one image, so that one lookup serves them all."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from dense_reloc_ros.geometry.arrays import Float32Array
from dense_reloc_ros.rendering.room import Texture

LEVELS = 6
"""Each half as wide and high as the one before."""
SHARPNESS = 0.5
"""Levels by which the lookup is finer than one texel per sample; supersampling makes up for it."""
_WIDTH = 8192
_BORDER = 2


class TextureAtlas:
    """T textures of any sizes.

    Attributes:
        sizes: width and height of each texture in texels, (T, 2) float32.
    """

    def __init__(self, textures: list[Texture]) -> None:
        tiles = [level for texture in textures for level in _mip_levels(texture)]
        sizes = np.array([tile.shape[1::-1] for tile in tiles])
        corners = _pack(sizes + 2 * _BORDER)
        height = int((corners[:, 1] + sizes[:, 1]).max()) + 2 * _BORDER
        self._image = np.zeros((height, _WIDTH, 3), dtype=np.uint8)
        for tile, (x, y) in zip(tiles, corners, strict=True):
            padded = np.pad(tile, ((_BORDER, _BORDER), (_BORDER, _BORDER), (0, 0)), mode="edge")
            self._image[y : y + padded.shape[0], x : x + padded.shape[1]] = padded
        self.sizes: Float32Array = sizes[::LEVELS].astype(np.float32)
        self._tile_sizes = sizes.astype(np.float32)
        # Position (0, 0) is the outer corner of the first texel, half a texel before its centre.
        self._tile_corners = (corners + _BORDER - 0.5).astype(np.float32)

    def sample(
        self, texture: NDArray[np.intp], a: Float32Array, b: Float32Array, texels: Float32Array
    ) -> NDArray[np.uint8]:
        """Colours (H, W, 3) at positions a, b in [0, 1] of textures, all (H, W).

        `texels` is the distance to the neighbouring samples in texels of the finest level.
        """
        level = np.log2(np.maximum(texels, 1e-6)) - SHARPNESS
        level = np.clip(level, 0, LEVELS - 1)
        finer = level.astype(np.intp)
        tile = texture * LEVELS + finer
        fine = self._lookup(tile, a, b)
        coarse = self._lookup(tile + (finer < LEVELS - 1), a, b)
        share = (level - finer)[..., None]
        return np.asarray(fine + share * (coarse - fine) + 0.5, dtype=np.uint8)

    def _lookup(self, tile: NDArray[np.intp], a: Float32Array, b: Float32Array) -> Float32Array:
        x = a * self._tile_sizes[:, 0][tile] + self._tile_corners[:, 0][tile]
        y = b * self._tile_sizes[:, 1][tile] + self._tile_corners[:, 1][tile]
        return np.asarray(cv2.remap(self._image, x, y, cv2.INTER_LINEAR), dtype=np.float32)


def _mip_levels(texture: Texture) -> list[Texture]:
    levels = [texture]
    for _ in range(LEVELS - 1):
        height, width = levels[-1].shape[:2]
        size = (max(1, (width + 1) // 2), max(1, (height + 1) // 2))
        levels.append(np.asarray(cv2.resize(levels[-1], size, interpolation=cv2.INTER_AREA)))
    return levels


def _pack(sizes: NDArray[np.int64]) -> NDArray[np.int64]:
    """Top-left corners (T, 2) of tiles (T, 2): in rows, the highest tiles first."""
    corners = np.zeros_like(sizes)
    x = y = row_height = 0
    for index in np.argsort(-sizes[:, 1], kind="stable"):
        width, height = sizes[index]
        if x + width > _WIDTH:
            x, y, row_height = 0, y + row_height, 0
        corners[index] = x, y
        x, row_height = x + width, max(row_height, height)
    return corners
