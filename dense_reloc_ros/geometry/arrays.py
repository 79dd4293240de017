"""The names of numpy arrays in signatures."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
"""Poses, points, covariances."""
Float32Array = NDArray[np.float32]
RgbImage = NDArray[np.uint8]
"""(H, W, 3)."""
DepthImage = NDArray[np.float32]
"""(H, W), along the optical axis."""
Mask = NDArray[np.bool_]
