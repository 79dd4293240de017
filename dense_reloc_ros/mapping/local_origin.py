"""Maps far from the origin of their frame, as in UTM coordinates, are counted from a nearer one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from dense_reloc_ros.geometry.se3 import shifted
from dense_reloc_ros.mapping.sources.source_frame import SourceFrame

NEAR = 1000.0
"""Metres: float32 holds 0.06 mm there, which no camera sees."""


def local_origin(frames: Sequence[SourceFrame]) -> NDArray[np.float64]:
    """Where the coordinates of a map of frames with poses begin: (3,), whole metres.

    It is 0 for frames near the origin of their frame, otherwise near their median.

    Raises:
        InputError: a frame without a pose.
    """
    positions = np.stack([frame.known_pose()[:3, 3] for frame in frames])
    middle = np.median(positions, axis=0)
    return np.where(np.abs(middle).max() > NEAR, middle.round(), 0.0)


def from_origin(
    frames: Sequence[SourceFrame], origin: NDArray[np.float64]
) -> Sequence[SourceFrame]:
    """Frames with poses whose positions are counted from another origin (3,)."""
    if not origin.any():
        return frames
    return [replace(f, T_map_camera=shifted(f.known_pose(), -origin)) for f in frames]
