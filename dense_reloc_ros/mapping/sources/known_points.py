"""Points that are known before a map is built, with who sees them where."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class KnownPoints:
    """The points (P, 3), in metres in the map frame, of a reconstruction of some frames."""

    positions: NDArray[np.float64]
    pixels: Mapping[str, NDArray[np.float32]]
    """By name of the frame: where it sees points, (N, 2) in its undistorted image."""
    indices: Mapping[str, NDArray[np.int64]]
    """By name of the frame: which points these are, (N,)."""

    def shifted(self, offset: NDArray[np.float64]) -> KnownPoints:
        """The points, elsewhere by `offset` (3,)."""
        return replace(self, positions=self.positions + offset)
