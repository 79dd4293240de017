"""A keyframe of the map as a picture: its image, or else its points as it saw them."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from dense_reloc_ros.errors import MapError
from dense_reloc_ros.localization.result import PoseEstimate
from dense_reloc_ros.scene.colours import stored_colours
from dense_reloc_ros.scene.scene_map import SceneMap

POINT_SHARE = 150
"""A point is drawn with a radius of the keyframe's width by this."""


@dataclass(frozen=True)
class KeyframePicture:
    """A keyframe, and where it saw which points."""

    name: str
    image: NDArray[np.uint8]
    """(H, W, 3) RGB, undistorted."""
    points: NDArray[np.int64]
    """(N,) indices into the map's points."""
    pixels: NDArray[np.float32]
    """(N, 2)."""


def picture_of(scene_map: SceneMap, keyframe: int) -> KeyframePicture:
    """The picture of a keyframe; of maps that store no images, its points in their colours."""
    observed = scene_map.observations(keyframe)
    points = scene_map.observation_points[observed].numpy()
    pixels = scene_map.observation_pixels[observed].numpy()
    name = scene_map.information.keyframe_names[keyframe]
    if scene_map.images is not None:
        with suppress(MapError):
            return KeyframePicture(name, scene_map.images(keyframe), points, pixels)
    camera = scene_map.cameras[keyframe]
    image = np.zeros((camera.height, camera.width, 3), np.uint8)
    colours = stored_colours(scene_map)[points].tolist()
    radius = max(1, camera.width // POINT_SHARE)
    for (x, y), colour in zip(np.rint(pixels).astype(int).tolist(), colours, strict=True):
        cv2.circle(image, (x, y), radius, colour, cv2.FILLED)
    return KeyframePicture(name, image, points, pixels)


def most_alike(scene_map: SceneMap, estimate: PoseEstimate) -> int | None:
    """Of the keyframes that a pose was found with, the one that saw most of the points that
    support it; None where there are none.
    """

    def shared(keyframe: int) -> int:
        points = scene_map.observation_points[scene_map.observations(keyframe)].numpy()
        return int(np.isin(points, estimate.supporting_points).sum())

    known = [k for k in estimate.keyframes if 0 <= k < scene_map.keyframe_count]
    return max(known, key=shared, default=None)
