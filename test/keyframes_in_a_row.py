"""A map whose geometry is known without any features, and images that say where they come from."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from scene.small_map import make_map

from dense_reloc_ros.features.extractor import DenseFeatures
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


class Seeing:
    """An extractor that gives the image as its features."""

    device = torch.device("cpu")

    def __call__(self, images: torch.Tensor) -> DenseFeatures:
        return DenseFeatures({}, images)
