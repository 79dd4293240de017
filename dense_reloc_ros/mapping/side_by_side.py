"""Large maps without a large building: one map again and again, each time as another place."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from dense_reloc_ros.scene.layout import VOCABULARY
from dense_reloc_ros.scene.scene_map import MapInformation, SceneMap

MARGIN = 1.1
"""Distance of neighbours, in the width of the map."""


def side_by_side(scene_map: SceneMap, copies: int, seed: int = 0) -> SceneMap:
    """A map `copies` times in a square, as many different places of the same shape.

    The first stays as it is, where it is. The descriptors of each other one are turned by a random
    rotation of its own: they are like each other as they were, and like nothing else. Images and
    coordinate maps are left out.
    """
    generator = torch.Generator().manual_seed(seed)
    offsets = _offsets(scene_map.points, copies)
    counts = scene_map.observation_offsets.diff().repeat(copies)
    points = (scene_map.points + offsets[:, None].float()).flatten(0, 1)
    poses = scene_map.keyframe_poses.repeat(copies, 1, 1, 1)
    poses[..., :3, 3] += offsets[:, None]
    first_points = torch.arange(copies)[:, None] * len(scene_map.points)
    return SceneMap(
        information=_information(scene_map.information, copies, points),
        cameras=scene_map.cameras * copies,
        keyframe_poses=poses.flatten(0, 1),
        points=points,
        observation_offsets=torch.cat([counts.new_zeros(1), counts.cumsum(0)]),
        observation_points=(scene_map.observation_points + first_points).flatten(),
        observation_pixels=scene_map.observation_pixels.repeat(copies, 1),
        descriptors={
            name: _turned(rows[:], copies, generator)
            for name, rows in scene_map.descriptors.items()
        },
        retrieval={
            name: value if name.startswith(VOCABULARY) else _turned(value, copies, generator)
            for name, value in scene_map.retrieval.items()
        },
        colours=None if scene_map.colours is None else scene_map.colours.repeat(copies, 1),
    )


def _offsets(points: Tensor, copies: int) -> Tensor:
    """Where the copies stand (copies, 3), float64, row by row in a square."""
    low, high = points.aminmax(dim=0)
    width = MARGIN * (high - low)[:2].double()
    side, number = math.ceil(math.sqrt(copies)), torch.arange(copies)
    place = torch.stack([number % side, number // side, torch.zeros_like(number)], dim=-1)
    return place * torch.cat([width, torch.zeros(1)])


def _information(information: MapInformation, copies: int, points: Tensor) -> MapInformation:
    low, high = (tuple(corner.tolist()) for corner in points.aminmax(dim=0))
    names = [f"{copy}/{name}" for copy in range(copies) for name in information.keyframe_names]
    changed = {
        "revision": "",
        "keyframe_names": names,
        "point_count": len(points),
        "observation_count": copies * information.observation_count,
        "bounding_box": (low, high),
        "source": f"{copies} times: {information.source}",
    }
    return information.model_copy(update=changed)


def _turned(vectors: Tensor, copies: int, generator: torch.Generator) -> Tensor:
    """Unit vectors (N, C) as they are, and again turned by each of `copies` - 1 rotations.

    These are permutations of the channels and a reflection each, which cost as little for thousands
    of channels as for a hundred.
    """
    channels = vectors.shape[1]
    result = vectors.new_empty(copies, *vectors.shape)
    result[0] = vectors
    for copy in range(1, copies):
        axis = torch.nn.functional.normalize(torch.randn(channels, generator=generator), dim=0)
        moved = vectors[:, torch.randperm(channels, generator=generator)].float()
        result[copy] = moved - 2 * (moved @ axis)[:, None] * axis
    return result.flatten(0, 1)
