"""The image that a query is localized by: the camera's own, turned, resampled, or a part of it.

All views share the camera's centre, and differ from it by a rotation about the optical axis.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from dense_reloc_ros.geometry import se3
from dense_reloc_ros.geometry.arrays import FloatArray
from dense_reloc_ros.geometry.camera import Camera

SAME_SCALE = 0.05
"""Resampling by a factor nearer to 1 than this is not worth the blur and the time."""
LEAST_SIDE = 96
"""Pixels of the shorter side that a view keeps, unless its image has fewer: networks need some."""


@dataclass(frozen=True)
class QueryView:
    """An undistorted image with the pinhole camera that would have taken it."""

    image: NDArray[np.uint8]
    """(H, W, 3) RGB."""
    camera: Camera
    T_camera_view: FloatArray
    """(4, 4): a rotation about the optical axis of the query's camera."""
    enlargement: float = 1.0
    """Factor on the focal length beyond that of the keyframes."""
    is_narrow: bool = False
    """Whether the view shows much less than the keyframes do."""

    @property
    def quarters(self) -> int:
        """The quarter turns counterclockwise that made it of the query's image, 0 to 3."""
        return round(math.atan2(*self.T_camera_view[[1, 0], 0]) / (math.pi / 2)) % 4

    @staticmethod
    def of(image: NDArray[np.uint8], camera: Camera) -> QueryView:
        """The undistorted image of a pinhole camera as it is."""
        return QueryView(image, camera, np.eye(4))


def turned(view: QueryView, quarters: int) -> QueryView:
    """The view after `quarters` quarter turns counterclockwise of what it shows; exact."""
    for _ in range(quarters % 4):
        view = _turned_once(view)
    return view


def _turned_once(view: QueryView) -> QueryView:
    camera = view.camera
    # What was at (x, y) is at (y, width - 1 - x).
    R_view_turned = np.array([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    return replace(
        view,
        image=np.rot90(view.image),
        camera=replace(
            camera,
            width=camera.height,
            height=camera.width,
            fx=camera.fy,
            fy=camera.fx,
            cx=camera.cy,
            cy=camera.width - 1 - camera.cx,
        ),
        T_camera_view=view.T_camera_view @ se3.rigid(R_view_turned, np.zeros(3)),
    )


def magnified(view: QueryView, factor: float, pixels: int) -> QueryView:
    """The view resampled to `factor` times its focal length, with at most about so many pixels.

    What is more is cut off around the principal point. Views are left alone where the factor is
    about 1, and not made smaller than `LEAST_SIDE`.
    """
    camera = view.camera
    factor = max(factor, min(1.0, LEAST_SIDE / min(camera.width, camera.height)))
    if abs(factor - 1) < SAME_SCALE:
        factor = 1.0
    view = _middle(view, pixels / factor**2)
    return view if factor == 1 else _resized(view, factor)


def reduced(
    image: NDArray[np.uint8], camera: Camera, pixels: float
) -> tuple[NDArray[np.uint8], Camera]:
    """An image (H, W, 3) with its camera (may be distorted), with at most about so many pixels.

    Smaller images are left alone.
    """
    factor = math.sqrt(pixels / (camera.width * camera.height))
    if factor >= 1:
        return image, camera
    width, height = (max(1, round(factor * size)) for size in (camera.width, camera.height))
    smaller = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
    return np.asarray(smaller, dtype=np.uint8), camera.scaled(width, height)


def _middle(view: QueryView, pixels: float) -> QueryView:
    """The part of a view around its principal point with at most about so many pixels."""
    camera = view.camera
    share = math.sqrt(pixels / (camera.width * camera.height))
    if share >= 1:
        return view
    width, height = (max(1, round(share * size)) for size in (camera.width, camera.height))
    left = round(float(np.clip(camera.cx - (width - 1) / 2, 0, camera.width - width)))
    top = round(float(np.clip(camera.cy - (height - 1) / 2, 0, camera.height - height)))
    part = replace(camera, width=width, height=height, cx=camera.cx - left, cy=camera.cy - top)
    return replace(view, image=view.image[top : top + height, left : left + width], camera=part)


def _resized(view: QueryView, factor: float) -> QueryView:
    width, height = (max(1, round(factor * n)) for n in (view.camera.width, view.camera.height))
    # Averaging all pixels that are merged keeps fine patterns from turning into coarse ones.
    interpolation = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    image = cv2.resize(view.image, (width, height), interpolation=interpolation)
    return replace(
        view, image=np.asarray(image, dtype=np.uint8), camera=view.camera.scaled(width, height)
    )
