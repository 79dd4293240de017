"""Which observations of the retrieved keyframes a query is matched with."""

from __future__ import annotations

import torch
from torch import Tensor

from dense_reloc_ros.scene.scene_map import SceneMap


def all_observations(scene_map: SceneMap, keyframes: list[int]) -> Tensor:
    """The indices (N,) of all observations of some keyframes."""
    slices = [scene_map.observations(keyframe) for keyframe in keyframes]
    return torch.cat([torch.arange(s.start, s.stop) for s in slices])


def best_observations(
    scene_map: SceneMap, observations: Tensor, quality: Tensor, count: int
) -> Tensor:
    """Up to `count` of the observations (N,), those of highest quality (N,), one for each point.

    A point that several keyframes see is taken as the one saw it that the query resembles most.
    """
    order = quality.cpu().argsort(descending=True, stable=True)
    points = scene_map.observation_points[observations[order]].long()
    first = torch.full((len(scene_map.points),), len(order))
    first.scatter_reduce_(0, points, torch.arange(len(order)), "amin")
    is_first = first[points] == torch.arange(len(order))
    return observations[order[is_first][:count]].sort().values
