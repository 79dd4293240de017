"""A map whose geometry is known without any features, and images that say where they come from."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from scene.small_map import make_map
from scipy.spatial.transform import Rotation

from dense_reloc_ros.features.extractor import DenseFeatures
from dense_reloc_ros.localization.result import PoseEstimate
from dense_reloc_ros.scene.scene_map import SceneMap

DEPTH = 2.0
"""Of all points of the map, in its unit of length."""


def wall_map(keyframes: int = 4, unit: float = 1.0) -> SceneMap:
    """Keyframes in a row before a wall; 0 and 1 see the same six points, 2 and 3 others, ..."""
    some = make_map(keyframes=keyframes)
    poses = np.tile(np.eye(4), (keyframes, 1, 1))
    poses[:, 0, 3] = 0.1 * unit * np.arange(keyframes)
    places = torch.tensor([[x, y, DEPTH] for x in (-0.5, 0.5, 1.5) for y in (-1.0, 1.0)])
    points = unit * places.repeat((keyframes + 1) // 2, 1)
    of_pairs = torch.arange(len(points)).view(-1, len(places))
    return replace(
        some,
        keyframe_poses=torch.from_numpy(poses),
        points=points.float(),
        observation_offsets=torch.arange(keyframes + 1) * len(places),
        observation_points=of_pairs.repeat_interleave(2, 0)[:keyframes].flatten(),
    )


def image_of(keyframe: int) -> np.ndarray:
    """Light on the left, with the number of its keyframe in the middle."""
    image = np.zeros((4, 9, 3), np.uint8)
    image[:, :4] = 200
    image[:, 4] = 2 * keyframe
    return image


def moved(
    scene_map: SceneMap, keyframe: int, score: float = 0.9, metres: float = 0.0, degrees: float = 0
) -> PoseEstimate:
    """The pose of a keyframe, moved and turned, as an estimate."""
    pose = scene_map.keyframe_poses[keyframe].numpy().copy()
    pose[1, 3] += metres
    pose[:3, :3] = Rotation.from_euler("y", degrees, degrees=True).as_matrix() @ pose[:3, :3]
    return PoseEstimate(pose, 1e-4 * np.eye(6), score, np.arange(3), (keyframe,))


class Seeing:
    """An extractor that gives the image as its features."""

    device = torch.device("cpu")

    def __call__(self, images: torch.Tensor) -> DenseFeatures:
        return DenseFeatures({}, images)
