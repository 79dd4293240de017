"""Which observations of the retrieved keyframes a query is matched with."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from dense_reloc_ros.scene.scene_map import SceneMap

SELECTION_SEED = 0


def observations_of(scene_map: SceneMap, keyframes: list[int], count: int) -> Tensor:
    """Up to `count` indices of observations, no two of the same point.

    A point that several keyframes see is taken as the first of them saw it. Where there are more
    points than `count`, the choice is random but the same every time.

    Args:
        scene_map: the map.
        keyframes: best first.
        count: how many points.
    """
    slices = [scene_map.observations(k) for k in keyframes]
    observations = torch.cat([torch.arange(s.start, s.stop) for s in slices])
    points = scene_map.observation_points[observations].numpy()
    _, first = np.unique(points, return_index=True)
    if len(first) > count:
        first = np.random.default_rng(SELECTION_SEED).choice(first, count, replace=False)
    return observations[torch.from_numpy(np.sort(first))]
