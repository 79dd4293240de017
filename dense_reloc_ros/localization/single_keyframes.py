"""Poses by one keyframe each, where the points of several together leave a view unsure.

Of an image from much nearer or farther than the keyframes, a view of the right size shows a small
part of one or two of them. Their points drown among those of the other keyframes that were
retrieved, but not among their own: so it is that each is tried alone, as in hierarchical
localization (Sarlin et al., CVPR 2019). These poses are coarse, and only starts.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from dense_reloc_ros.features.extractor import DenseFeatures
from dense_reloc_ros.geometry.arrays import FloatArray
from dense_reloc_ros.geometry.camera import Camera
from dense_reloc_ros.geometry.se3 import inverse
from dense_reloc_ros.pose.lo_ransac import consensus
from dense_reloc_ros.retrieval.local_evidence import mutual_cells
from dense_reloc_ros.scene.scene_map import SceneMap
from dense_reloc_ros.scene.selection import all_observations

MOST_POINTS = 150
"""Of a keyframe: those that the image matches best."""
ITERATIONS = 1000
"""Of RANSAC at most."""


@dataclass(frozen=True)
class KeyframePose:
    """What the points of one keyframe say about where a view was taken."""

    T_map_view: FloatArray
    """(4, 4)."""
    keyframe: int
    supporting_points: NDArray[np.int64]
    """(N,) indices of the map points that agree with the pose within a coarse cell."""
    support: int
    """The number of coarse cells that they fall into: many points in one cell say no more."""


def poses_by_keyframes(
    features: DenseFeatures,
    camera: Camera,
    scene_map: SceneMap,
    keyframes: Iterable[int],
    temperature: float,
) -> list[KeyframePose]:
    """The pose by each of some keyframes that has one; those with the most support first.

    `camera` is that of the features' image, `temperature` that of the coarse maps' softmax.
    """
    poses = [
        pose_by_keyframe(features, camera, scene_map, keyframe, temperature)
        for keyframe in keyframes
    ]
    return sorted((pose for pose in poses if pose is not None), key=lambda pose: -pose.support)


def pose_by_keyframe(
    features: DenseFeatures,
    camera: Camera,
    scene_map: SceneMap,
    keyframe: int,
    temperature: float,
) -> KeyframePose | None:
    """The pose by the best coarse cells of one keyframe's points; None where none agree."""
    observations = all_observations(scene_map, [keyframe])
    quality, cells = mutual_cells(features, scene_map, observations, temperature)
    best = quality.argsort(descending=True, stable=True)[:MOST_POINTS]
    points = scene_map.observation_points[observations[best.cpu()]].long()
    level = features.levels["coarse"]
    pixels = level.offset + level.stride * cells[best]
    intrinsics = torch.tensor([camera.fx, camera.fy, camera.cx, camera.cy])
    found = consensus(pixels, scene_map.points[points], intrinsics, level.stride, ITERATIONS)
    if found is None:
        return None
    T_camera_map, agrees = found
    pose = inverse(T_camera_map.double().cpu().numpy())
    support = len(np.unique(cells[best].cpu().numpy()[agrees.numpy()], axis=0))
    return KeyframePose(pose, keyframe, points[agrees].numpy(), support)
