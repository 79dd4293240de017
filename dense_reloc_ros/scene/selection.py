"""Which observations of the retrieved keyframes a query is matched with."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from dense_reloc_ros.scene.scene_map import SceneMap


def all_observations(scene_map: SceneMap, keyframes: list[int]) -> Tensor:
    """The indices (N,) of all observations of some keyframes."""
    slices = [scene_map.observations(keyframe) for keyframe in keyframes]
    every = [np.arange(s.start, s.stop) for s in slices]
    return torch.from_numpy(np.concatenate(every) if every else np.zeros(0, np.int64))


def best_observations(
    scene_map: SceneMap, observations: Tensor, quality: Tensor, count: int
) -> Tensor:
    """Up to `count` of the observations (N,), those of highest quality (N,), one for each point.

    A point that several keyframes see is taken as the one saw it that the query resembles most.
    """
    order = np.argsort(-quality.cpu().numpy(), kind="stable")
    sorted_observations = observations.numpy()[order]
    points = scene_map.arrays.observation_points[sorted_observations]
    _, first = np.unique(points, return_index=True)
    return torch.from_numpy(np.sort(sorted_observations[np.sort(first)[:count]]))
