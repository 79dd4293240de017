"""Keyframes of other places that look like an image: what it shows may occur more than once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dense_reloc_ros.configuration import RetrievalConfiguration
from dense_reloc_ros.geometry.arrays import FloatArray
from dense_reloc_ros.geometry.camera import Camera
from dense_reloc_ros.retrieval.covisibility import covisibility_clusters
from dense_reloc_ros.retrieval.distinct_views import distinct_views
from dense_reloc_ros.retrieval.places import RankedKeyframes
from dense_reloc_ros.scene.scene_map import SceneMap

SAME_VIEW = 0.25
"""Share of a keyframe's points in sight, from which on it shows what a camera sees.

With half of them, up to 63% of the images of a map find look-alikes when a stretch round them is
left out; with a quarter at most 3% of a real scene's and 10% of a rendered room's.
"""
SIMILAR = 0.9
"""Share of the evidence of the keyframe that looks most like an image, from which on another may
show the same. Equal doors seen from elsewhere have 0.91 to 1. It costs one more pose to find, and
is not yet a doubt."""


def look_alikes(
    ranked: RankedKeyframes,
    scene_map: SceneMap,
    options: RetrievalConfiguration,
    T_map_camera: FloatArray,
    camera: Camera,
) -> list[int]:
    """Keyframes that look like an image as much as any, but show something else than its pose.

    None where the image is unlike all that a camera at the pose (4, 4) does not see. They belong to
    one place, as far as the map knows.
    """
    least = SIMILAR * ranked.best_evidence
    similar = ranked.keyframes.numpy()[ranked.evidence.numpy() >= least].tolist()
    arrays = scene_map.arrays
    elsewhere = [
        keyframe
        for keyframe in similar
        if in_sight(arrays.points[arrays.seen(keyframe)], T_map_camera, camera).sum()
        < SAME_VIEW * len(arrays.seen(keyframe))
    ]
    if not elsewhere:
        return []
    best = distinct_views(scene_map, elsewhere, options.keyframes, options.baseline_share)
    return covisibility_clusters(scene_map, best, options.common_points)[0]


def in_sight(
    points: NDArray[np.float32], T_map_camera: FloatArray, camera: Camera
) -> NDArray[np.bool_]:
    """Which of the points (N, 3) a camera at a pose (4, 4) has in its image, (N,) bool.

    What hides what is not known.
    """
    x, y, depth = ((points - T_map_camera[:3, 3]) @ T_map_camera[:3, :3]).T
    with np.errstate(divide="ignore", invalid="ignore"):
        column, row = camera.fx * x / depth + camera.cx, camera.fy * y / depth + camera.cy
    inside = (depth > 0) & (column >= 0) & (row >= 0)
    seen: NDArray[np.bool_] = inside & (column <= camera.width - 1) & (row <= camera.height - 1)
    return seen
