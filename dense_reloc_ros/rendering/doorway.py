"""An opening in a wall that one can walk through."""

from __future__ import annotations

import numpy as np

from dense_reloc_ros.rendering.room import Surface

WIDTH, HEIGHT = 1.1, 2.05
"""Metres."""


def with_doorway(wall: Surface) -> list[Surface]:
    """What is left and right of an opening in the middle of a wall, and above it.

    Raises:
        ValueError: a wall that is smaller than the opening.
    """
    rows, columns = wall.texture.shape[:2]
    length, height = np.linalg.norm(wall.edge_u), np.linalg.norm(wall.edge_v)
    if length <= WIDTH or height <= HEIGHT:
        raise ValueError(f"no doorway fits into a wall of {length:.2f} m x {height:.2f} m")
    left = round(columns * (1 - WIDTH / length) / 2)
    lintel = round(rows * (1 - HEIGHT / height))
    return [
        wall.part(slice(0, left), slice(None)),
        wall.part(slice(columns - left, columns), slice(None)),
        wall.part(slice(left, columns - left), slice(0, lintel)),
    ]
