"""Places where the images of a rig may have been taken, by what each of them looks like.

A keyframe that looks like one image tells about where the body is, and so what the other cameras
must see: they are matched with the keyframes there, whether these look like their images or not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from dense_reloc_ros.configuration import RetrievalConfiguration
from dense_reloc_ros.geometry import se3
from dense_reloc_ros.geometry.arrays import FloatArray
from dense_reloc_ros.localization.rig_images import SeenImage
from dense_reloc_ros.retrieval.distinct_views import distinct_views, median_depth
from dense_reloc_ros.retrieval.nearest_poses import nearest_poses, view_distances
from dense_reloc_ros.retrieval.overlap import overlapping_keyframes
from dense_reloc_ros.scene.scene_map import SceneMap

NEAR = 1.2
"""Of views that may show the same: the root of the squared distance, relative to the depth, and of
the squared angle in radians."""

MOST_TRIED = 2
"""Places for each cluster that a single image would be localized in."""


@dataclass(frozen=True)
class RigPlace:
    """Where the body of a rig may be, about."""

    T_map_body: FloatArray
    """(4, 4), as rough as the nearest keyframe is near."""
    evidence: float
    """How much all images look like keyframes there, together: their number at most."""
    keyframes: tuple[list[int], ...]
    """What each image is matched with."""


def rig_places(
    images: Sequence[SeenImage], scene_map: SceneMap, options: RetrievalConfiguration
) -> list[RigPlace]:
    """The places that the images of a rig may show, the likeliest first.

    Twice as many as clusters are looked at, and one more that looks alike.
    """
    guesses: list[tuple[float, FloatArray, float]] = []
    for image in images:
        similar = image.ranked.keyframes.tolist()
        for keyframe in distinct_views(
            scene_map, similar, options.keyframes, options.baseline_share
        ):
            depth = _depth(scene_map, keyframe)
            T_map_body = scene_map.keyframe_poses[keyframe].numpy() @ image.T_view_body
            guesses.append(
                (joint_evidence(images, scene_map, T_map_body, depth), T_map_body, depth)
            )
    found: list[RigPlace] = []
    for evidence, T_map_body, depth in sorted(guesses, key=lambda guess: -guess[0]):
        if len(found) > MOST_TRIED * options.clusters:
            break
        if not any(_is_near(place.T_map_body, T_map_body, depth) for place in found):
            keyframes = keyframes_at(images, scene_map, options, T_map_body, depth)
            found.append(RigPlace(T_map_body, evidence, keyframes))
    return found


def joint_evidence(
    images: Sequence[SeenImage], scene_map: SceneMap, T_map_body: FloatArray, depth: float
) -> float:
    """How much the images look like keyframes near where they were taken from a pose (4, 4)."""
    total = 0.0
    for image in images:
        near = _near(image, scene_map, T_map_body, depth)
        total += float(image.ranked.evidence.cpu()[near].max()) if near.any() else 0.0
    return total


def keyframes_at(
    images: Sequence[SeenImage],
    scene_map: SceneMap,
    options: RetrievalConfiguration,
    T_map_body: FloatArray,
    depth: float,
) -> tuple[list[int], ...]:
    """The keyframes for each image of a body that is at about a pose (4, 4).

    Those near there that look like the image, the most similar first, and then the nearest.
    """
    chosen = []
    for image in images:
        near = _near(image, scene_map, T_map_body, depth)
        similar = image.ranked.keyframes.cpu()[near].tolist()
        T_map_view = torch.from_numpy(T_map_body @ image.T_body_view)
        nearest = nearest_poses(scene_map, T_map_view, depth, options.keyframes)
        poses = scene_map.keyframe_poses[nearest]
        distances = view_distances(poses, T_map_view, depth).tolist()
        nearest = [k for k, distance in zip(nearest, distances, strict=True) if distance < NEAR]
        ranked = list(dict.fromkeys([*similar, *nearest]))
        chosen.append(distinct_views(scene_map, ranked, options.keyframes, options.baseline_share))
    return tuple(chosen)


def keyframes_in_sight(
    images: Sequence[SeenImage],
    scene_map: SceneMap,
    options: RetrievalConfiguration,
    T_map_body: FloatArray,
) -> tuple[list[int], ...]:
    """The keyframes that see most of what each image shows, taken from a known pose (4, 4)."""
    chosen = []
    for image in images:
        T_map_view = T_map_body @ image.T_body_view
        ranked = overlapping_keyframes(scene_map, T_map_view, image.camera)[0].tolist()
        chosen.append(distinct_views(scene_map, ranked, options.keyframes, options.baseline_share))
    return tuple(chosen)


def _near(
    image: SeenImage, scene_map: SceneMap, T_map_body: FloatArray, depth: float
) -> np.ndarray:
    """Which of an image's ranked keyframes (N,) see what it does, taken from a pose (4, 4)."""
    poses = scene_map.keyframe_poses[image.ranked.keyframes.cpu()]
    T_map_view = torch.from_numpy(T_map_body @ image.T_body_view)
    return np.asarray(view_distances(poses, T_map_view, depth).numpy() < NEAR)


def _is_near(T_map_a: FloatArray, T_map_b: FloatArray, depth: float) -> bool:
    off = se3.pose_error(T_map_a, T_map_b)
    return float(np.hypot(off.translation / depth, off.rotation)) < NEAR


def _depth(scene_map: SceneMap, keyframe: int) -> float:
    return float(median_depth(scene_map, keyframe)) or 1.0
