"""The views that an image has: at the keyframes' scale or another one, turned, or enlarged."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from dense_reloc_ros.geometry.arrays import FloatArray
from dense_reloc_ros.geometry.camera import Camera
from dense_reloc_ros.localization.query_view import QueryView, magnified, turned
from dense_reloc_ros.localization.relative_view import quarters_by_up
from dense_reloc_ros.scene.scene_map import SceneMap

MOST_PIXELS = 1.3
"""Of a view, relative to those of the largest keyframe: they bound the time of a frame."""
NARROW_SHARES = (0.2, 0.3)
"""Of the pixels of the smallest keyframe: views between these are narrow.

Still narrower ones are localized like others. Of 100 sure poses of held-out views with a share of
0.06 to 0.2 that were matched as narrow ones, two were more than ten times as far off as their
covariance said; of 98 with more, none was.
"""
ENLARGEMENT = 1.4
"""Of narrow views: poses are found more exactly, and descriptors still bear with it."""


@dataclass(frozen=True)
class ViewChoice:
    """One view among those that an image has."""

    magnification: float
    """Of the focal length."""
    quarters: int = 0
    """Quarter turns counterclockwise."""
    enlargement: float = ENLARGEMENT
    """Besides, where the view is narrow."""


def first_view(
    scene_map: SceneMap,
    image: NDArray[np.uint8],
    camera: Camera,
    up_in_camera: FloatArray | None = None,
) -> QueryView:
    """The view of an undistorted image that is looked at first, without a prior pose."""
    quarters = quarters_by_up(scene_map, up_in_camera)
    choice = ViewChoice(map_magnification(scene_map, camera), quarters)
    return chosen_view(scene_map, QueryView.of(image, camera), choice)


def chosen_view(scene_map: SceneMap, original: QueryView, choice: ViewChoice) -> QueryView:
    """The chosen view of an image."""
    pixels = most_pixels(scene_map)
    view = magnified(original, choice.magnification, pixels)
    least, most = (share * scene_map.keyframe_pixels[0] for share in NARROW_SHARES)
    if least <= view.camera.width * view.camera.height < most:
        factor = choice.enlargement
        view = magnified(original, factor * choice.magnification, pixels)
        view = replace(view, enlargement=factor, is_narrow=True)
    return turned(view, choice.quarters)


def most_pixels(scene_map: SceneMap) -> int:
    """Of a view at most."""
    return round(MOST_PIXELS * scene_map.keyframe_pixels[1])


def map_magnification(scene_map: SceneMap, camera: Camera) -> float:
    """What makes the focal length of a camera the nearest that the keyframes have."""
    focal = camera.focal_length
    return float(np.clip(focal, *scene_map.focal_lengths)) / focal
