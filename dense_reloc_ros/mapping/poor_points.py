"""Makes a map poorer in points, fewer and noisier ones, to see what methods do with it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from dense_reloc_ros.errors import ConfigurationError
from dense_reloc_ros.mapping.assembly import with_information
from dense_reloc_ros.scene.scene_map import SceneMap


@dataclass(frozen=True)
class PoorPoints:
    """How many points stay, and how far they are moved.

    Raises:
        ConfigurationError: a share that is not above 0 and at most 1, or a negative noise.
    """

    share: float = 1.0
    noise: float = 0.0
    """Standard deviation of the distance from the keyframe that sees a point first, as a share."""
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 < self.share <= 1 or not 0 <= self.noise < 1:
            raise ConfigurationError(
                f"a map cannot keep the share {self.share:g} of its points with a noise of "
                f"{self.noise:g}: the one is above 0 and at most 1, the other from 0 to below 1"
            )


def with_poor_points(scene_map: SceneMap, poor: PoorPoints) -> SceneMap:
    """A map that was just built, with a random share of its points, each moved along a ray.

    Every keyframe keeps a point at least. A calibration stays that of the map with all points.
    """
    rng = np.random.default_rng(poor.seed)
    kept = torch.from_numpy(rng.random(len(scene_map.points)) < poor.share)
    for keyframe in range(scene_map.keyframe_count):
        seen = scene_map.observation_points[scene_map.observations(keyframe)].long()
        if len(seen) and not kept[seen].any():
            kept[seen[int(rng.integers(len(seen)))]] = True
    owners = torch.repeat_interleave(
        torch.arange(scene_map.keyframe_count), scene_map.observation_offsets.diff()
    )
    observed = kept[scene_map.observation_points.long()]
    number = kept.long().cumsum(0) - 1
    points = _moved(scene_map, owners, poor.noise, rng)[kept]
    counts = torch.bincount(owners[observed], minlength=scene_map.keyframe_count)
    offsets = torch.cat([counts.new_zeros(1), counts.cumsum(0)])
    low, high = (tuple(corner.tolist()) for corner in points.aminmax(dim=0))
    poorer = replace(
        scene_map,
        points=points,
        observation_offsets=offsets,
        observation_points=number[scene_map.observation_points[observed].long()],
        observation_pixels=scene_map.observation_pixels[observed],
        descriptors={name: rows[:][observed] for name, rows in scene_map.descriptors.items()},
        colours=None if scene_map.colours is None else scene_map.colours[kept],
    )
    return with_information(
        poorer,
        point_count=len(points),
        observation_count=int(observed.sum()),
        bounding_box=(low, high),
        source=f"{scene_map.information.source}, {100 * poor.share:g} % of the points with "
        f"{100 * poor.noise:g} % noise",
    )


def _moved(scene_map: SceneMap, owners: Tensor, noise: float, rng: np.random.Generator) -> Tensor:
    """All points (P, 3), each moved along the ray of the keyframe (O,) that sees it first."""
    first = torch.full((len(scene_map.points),), scene_map.keyframe_count - 1)
    first.scatter_reduce_(0, scene_map.observation_points.long(), owners, "amin")
    centres = scene_map.keyframe_poses[first, :3, 3]
    factors = torch.from_numpy(np.exp(rng.normal(0, noise, len(first))))
    return (centres + (scene_map.points.double() - centres) * factors[:, None]).float()
