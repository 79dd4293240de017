"""The same photograph by a camera that was turned about its optical axis, or has another lens."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from dense_reloc_ros.geometry.arrays import RgbImage
from dense_reloc_ros.geometry.camera import Camera


@dataclass(frozen=True)
class View:
    """An image, its camera, and how that was turned."""

    image: RgbImage
    """(H, W, 3) RGB, undistorted."""
    camera: Camera
    """Its pinhole camera."""
    R_before_after: NDArray[np.float64]
    """(3, 3): from the turned camera's coordinates to those of the camera before."""


def rolled(image: RgbImage, camera: Camera, angle: float) -> View:
    """An image (H, W, 3) by the camera turned about its optical axis by an angle in radians.

    The canvas grows as far as it takes to keep the whole image, and is black around it. Turns by
    quarters keep every pixel's value.
    """
    image, camera = camera.undistort(image), camera.pinhole()
    # A quarter turn's cosine is not quite zero, which would widen the canvas by a pixel.
    cosine, sine = round(math.cos(angle), 12), round(math.sin(angle), 12)
    R_before_after = np.array([[cosine, -sine, 0.0], [sine, cosine, 0.0], [0.0, 0.0, 1.0]])
    fx = cosine**2 * camera.fx + sine**2 * camera.fy
    fy = sine**2 * camera.fx + cosine**2 * camera.fy
    linear = np.diag([fx, fy]) @ R_before_after[:2, :2].T @ np.diag([1 / camera.fx, 1 / camera.fy])
    right, bottom = camera.width - 0.5, camera.height - 0.5
    corners = np.array([[-0.5, -0.5], [right, -0.5], [right, bottom], [-0.5, bottom]])
    turned = (corners - [camera.cx, camera.cy]) @ linear.T
    size = np.ceil((np.ptp(turned, axis=0)).round(6)).astype(int)
    # The turned image lies in the middle of the canvas, whose first corner is at -0.5.
    centre = (size - 1) / 2 - (turned.min(axis=0) + turned.max(axis=0)) / 2
    width, height = (int(side) for side in size)
    offset = centre - linear @ [camera.cx, camera.cy]
    warped = cv2.warpAffine(image, np.column_stack([linear, offset]), (width, height))
    after = Camera(width, height, fx, fy, float(centre[0]), float(centre[1]))
    return View(np.asarray(warped, dtype=np.uint8), after, R_before_after)


def zoomed(image: RgbImage, camera: Camera, factor: float) -> View:
    """An image (H, W, 3) as by a focal length `factor` times as long, at the same size.

    The image's middle stays where it is. A shorter focal length leaves black what lies beyond the
    image. The factor is exact to what whole pixels allow, and the camera says what it is.
    """
    image, camera = camera.undistort(image), camera.pinhole()
    size = np.array([camera.width, camera.height])
    # Parts that differ from the whole by even numbers of pixels lie in its very middle.
    part = size - 2 * np.rint(size * (1 - min(factor, 1 / factor)) / 2).astype(int)
    left, top = ((size - part) // 2).tolist()
    width, height = part.tolist()
    if factor > 1:
        seen = image[top : top + height, left : left + width]
        grown = cv2.resize(seen, size.tolist(), interpolation=cv2.INTER_CUBIC)
        cut = Camera(width, height, camera.fx, camera.fy, camera.cx - left, camera.cy - top)
        return View(np.asarray(grown, dtype=np.uint8), cut.scaled(*size.tolist()), np.eye(3))
    canvas = np.zeros_like(image)
    canvas[top : top + height, left : left + width] = cv2.resize(
        image, (width, height), interpolation=cv2.INTER_AREA
    )
    small = camera.scaled(width, height)
    after = Camera(camera.width, camera.height, small.fx, small.fy, small.cx + left, small.cy + top)
    return View(canvas, after, np.eye(3))
