"""Maps of a few keyframes of which only what they see, and how it looks, is said."""

from __future__ import annotations

from dataclasses import replace

import torch
from scene.small_map import make_map

from dense_reloc_ros.retrieval.index import LEVEL
from dense_reloc_ros.scene.scene_map import SceneMap


def tiny_map(seen: list[list[int]], descriptors: torch.Tensor | None = None) -> SceneMap:
    """A map whose keyframe k sees the points seen[k]; descriptors (O, C) of all observations."""
    observations = torch.tensor([point for points in seen for point in points])
    if descriptors is None:
        descriptors = torch.zeros(len(observations), 4)
    counts = torch.tensor([0, *(len(points) for points in seen)])
    return replace(
        make_map(keyframes=len(seen)),
        observation_offsets=counts.cumsum(0),
        observation_points=observations,
        descriptors={LEVEL: descriptors.half()},
    )
