"""Images of 10 to 16 bits as those of 8, whichever of their bits are used."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

SENSOR_BITS = (10, 12, 14, 16)


def eight_bits(pixels: NDArray[np.uint16]) -> NDArray[np.uint8]:
    """The upper eight of the bits that are used: those of 10, 12 or 14 bits leave others empty."""
    used = next(bits for bits in SENSOR_BITS if int(pixels.max()) < 1 << bits)
    return np.asarray(pixels >> (used - 8), dtype=np.uint8)
