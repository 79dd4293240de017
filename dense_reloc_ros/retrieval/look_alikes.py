"""Keyframes of other places that look like an image: what it shows may occur more than once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dense_reloc_ros.configuration import RetrievalConfiguration
from dense_reloc_ros.geometry.arrays import FloatArray
from dense_reloc_ros.geometry.camera import Camera
from dense_reloc_ros.retrieval.covisibility import covisibility_clusters
from dense_reloc_ros.retrieval.distinct_views import distinct_views
from dense_reloc_ros.retrieval.ranked_keyframes import RankedKeyframes
from dense_reloc_ros.scene.scene_map import SceneMap

LEAST_UNSEEN = 0.5
"""Share of the points of a keyframe that were looked for, which a camera must have out of sight for
them to say anything."""
SIMILAR = 0.9
"""Share of the evidence of the keyframe that looks most like an image, which what is out of sight
at a pose must have for the image to show something like it.

Of 158 images of equal doors for which there was a pose as good elsewhere, all have 0.91 and more
where a quarter may be out of sight. Of 50 map images of the kitchen with a stretch round them left
out, 5 reach it in good light and 29 at level harsh. It costs some work, and is not yet a doubt.
"""


def look_alikes(
    ranked: RankedKeyframes,
    scene_map: SceneMap,
    options: RetrievalConfiguration,
    T_map_camera: FloatArray,
    camera: Camera,
) -> list[int]:
    """Keyframes of which an image seems to show what is out of sight at its pose.

    None where the image is unlike all that a camera at the pose (4, 4) does not see. They belong to
    one place, as far as the map knows; those that look most like the image come first.
    """
    arrays, looked_for = scene_map.arrays, ranked.observations >= 0
    points = arrays.points[arrays.observation_points[ranked.observations]]
    seen = in_sight(points.reshape(-1, 3), T_map_camera, camera).reshape(looked_for.shape)
    unseen = looked_for & ~seen
    count = unseen.sum(1)
    evidence = (ranked.correlations * unseen).sum(1) / np.maximum(count, 1)
    enough = (count > 0) & (count >= LEAST_UNSEEN * looked_for.sum(1))
    alike = enough & (evidence >= SIMILAR * ranked.best_evidence)
    order = np.argsort(-evidence, kind="stable")
    elsewhere = ranked.keyframes.numpy()[order[alike[order]]].tolist()
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
