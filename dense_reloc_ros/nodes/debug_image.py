"""The picture that shows why a pose is believed or doubted: the points the image agrees with."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from dense_reloc_ros.geometry.arrays import FloatArray
from dense_reloc_ros.geometry.camera import Camera
from dense_reloc_ros.geometry.se3 import inverse
from dense_reloc_ros.localization.result import Localization, Status

LOCALIZED = (0, 220, 90)
DOUBTED = (255, 190, 0)
"""Of a pose that was found but is not published."""
NOT_LOCALIZED = (255, 90, 40)
MARGIN = 8


def draw_localization(
    image: NDArray[np.uint8], camera: Camera, localization: Localization, points: FloatArray
) -> NDArray[np.uint8]:
    """The undistorted image (H, W, 3) RGB with the supporting `points` (N, 3) where the pose puts
    them, and the decision in words, in a colour that tells doubted poses from published ones.
    """
    canvas = np.ascontiguousarray(camera.undistort(image)).copy()
    colour = _colour(localization)
    if localization.estimate is not None:
        T_camera_map = inverse(localization.estimate.T_map_camera)
        seen = points @ T_camera_map[:3, :3].T + T_camera_map[:3, 3]
        seen = seen[seen[:, 2] > 0]
        pixels = (seen @ camera.matrix.T)[:, :2] / seen[:, 2:]
        inside = ((pixels >= 0) & (pixels < [camera.width, camera.height])).all(axis=1)
        for x, y in np.rint(pixels[inside]).astype(int).tolist():
            cv2.circle(canvas, (x, y), 3, colour, 1, cv2.LINE_AA)
    _write(canvas, caption(localization), colour)
    return canvas


def caption(localization: Localization) -> str:
    """One line on what was decided about the frame, and why."""
    decisions = {Status.LOCALIZED: "published", Status.REJECTED: "not published"}
    name = localization.status.name.lower().replace("_", " ")
    words, estimate = [decisions.get(localization.status, name)], localization.estimate
    if estimate is not None:
        known = [] if estimate.confidence is None else [f"confidence {estimate.confidence:.3f}"]
        known += [f"score {estimate.score:.2f}", f"{len(estimate.supporting_points)} points"]
        words.append(", ".join(known))
    if localization.reason:
        words.append(localization.reason)
    return ": ".join(words)


def _colour(localization: Localization) -> tuple[int, int, int]:
    if localization.is_localized:
        return LOCALIZED
    return NOT_LOCALIZED if localization.estimate is None else DOUBTED


def _write(canvas: NDArray[np.uint8], text: str, colour: tuple[int, int, int]) -> None:
    """Writes a line at the bottom on a dark bar, as small as it must be to fit."""
    height, width = canvas.shape[:2]
    scale = 0.5
    (length, line), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, scale, 1)
    scale = max(0.3, min(scale, scale * (width - 2 * MARGIN) / max(length, 1)))
    canvas[height - line - 2 * MARGIN :] //= 3
    cv2.putText(
        canvas,
        text,
        (MARGIN, height - MARGIN),
        cv2.FONT_HERSHEY_SIMPLEX,
        scale,
        colour,
        1,
        cv2.LINE_AA,
    )
