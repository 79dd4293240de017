"""Where map points are made: corners of a keyframe's image whose depth can be trusted."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from dense_reloc_ros.geometry.arrays import FloatArray
from dense_reloc_ros.geometry.camera import Camera

DEPTH_RANGE = (0.1, 60.0)
"""Metres; readings outside it are not used."""
EDGE_RADIUS = 3
EDGE_STEP = 0.05
"""Relative difference of depth within EDGE_RADIUS pixels that makes a depth edge."""
_CORNER_QUALITY = 1e-3
"""Corner measure relative to the image's best, low: weak corners are better than none."""
REFINEMENT_RADIUS = 3
"""Pixels around a corner that say where exactly it is."""


def detect_corners(
    image: NDArray[np.uint8], usable: NDArray[np.bool_], count: int
) -> NDArray[np.float32]:
    """The strongest corners (Shi-Tomasi) where `usable` (H, W), spread over the image.

    Args:
        image: (H, W, 3) RGB.
        usable: (H, W), where corners may lie.
        count: how many at most.

    Returns:
        Pixels (N, 2).
    """
    grey = np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), dtype=np.uint8)
    # Were the corners spread evenly, they would lie about twice this distance apart.
    spacing = 0.5 * np.sqrt(grey.size / count)
    corners = cv2.goodFeaturesToTrack(
        grey, count, _CORNER_QUALITY, spacing, mask=usable.astype(np.uint8)
    )
    if corners is None:
        return np.empty((0, 2), dtype=np.float32)
    return _refined(grey, np.asarray(corners, dtype=np.float32), usable).reshape(-1, 2)


def reliable_depth(depth: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Where depth (H, W) in metres is known, plausible and away from depth edges."""
    known = (depth >= DEPTH_RANGE[0]) & (depth <= DEPTH_RANGE[1])
    window = np.ones((2 * EDGE_RADIUS + 1,) * 2, np.uint8)
    farthest = cv2.dilate(np.where(known, depth, 0).astype(np.float32), window)
    nearest = cv2.erode(np.where(known, depth, np.inf).astype(np.float32), window)
    return np.asarray(known & (farthest - nearest < EDGE_STEP * nearest))


def _refined(
    grey: NDArray[np.uint8], corners: NDArray[np.float32], usable: NDArray[np.bool_]
) -> NDArray[np.float32]:
    """Corners (N, 1, 2) at whole pixels, moved to where exactly they are."""
    window, nowhere = (REFINEMENT_RADIUS, REFINEMENT_RADIUS), (-1, -1)
    stop = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_COUNT, 20, 0.01)
    refined = np.asarray(cv2.cornerSubPix(grey, corners.copy(), window, nowhere, stop))
    # Where there is no proper corner the refinement runs away.
    is_good = np.abs(refined - corners).max(axis=2) < REFINEMENT_RADIUS / 2
    limits = np.array(grey.shape[::-1]) - 1
    columns, rows = np.clip(np.rint(refined), 0, limits).astype(np.int64).T
    is_good &= ((refined >= 0) & (refined <= limits)).all(axis=2) & usable[rows, columns].T
    return np.where(is_good[..., None], refined, corners)


def lift(pixels: NDArray[np.float32], depth: NDArray[np.float32], camera: Camera) -> FloatArray:
    """Points (N, 3) in metres in the frame of the pinhole `camera` at pixels (N, 2).

    The depth is the median of what is known within a pixel; pixels must be where depth is known.
    """
    columns, rows = np.rint(pixels).astype(np.int64).T
    steps = np.array([-1, 0, 1])
    rows = np.clip(rows[:, None, None] + steps[:, None], 0, camera.height - 1)
    columns = np.clip(columns[:, None, None] + steps, 0, camera.width - 1)
    readings = depth[rows, columns].reshape(len(pixels), -1).astype(np.float64)
    readings[(readings < DEPTH_RANGE[0]) | (readings > DEPTH_RANGE[1])] = np.nan
    return camera.lift(pixels.astype(np.float64), np.nanmedian(readings, axis=1))
