"""Keyframes as references: their features, and the pixels of which the map has the depth."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from dense_reloc_ros.bounded_memory import BoundedMemory
from dense_reloc_ros.deviloc.point_inference import MapImagePixels
from dense_reloc_ros.errors import MapError
from dense_reloc_ros.features.extractor import (
    DenseFeatures,
    FeatureExtractor,
    FeatureLevel,
    image_to_tensor,
)
from dense_reloc_ros.geometry.projection import project
from dense_reloc_ros.geometry.se3 import inverse_tensor
from dense_reloc_ros.scene.scene_map import SceneMap

MOST_OBSERVED = 160
"""Pixels with a depth that the network gets of a keyframe."""
NEIGHBOURS = 10
"""Keyframes that look at the same from near by, whose points are in sight, too."""
LEVELS = ("coarse", "fine")


@dataclass(frozen=True)
class _Stored:
    levels: Mapping[str, FeatureLevel]
    """In half precision."""

    @property
    def nbytes(self) -> int:
        return sum(level.values.nbytes for level in self.levels.values())


class ReferenceViews:
    """Features of keyframes, computed from their images when they are first asked for."""

    def __init__(
        self, scene_map: SceneMap, extractor: FeatureExtractor, megabytes: int, method: str
    ) -> None:
        """Raises MapError for a map without images."""
        if scene_map.images is None:
            raise MapError(
                f"the map has no images, which method '{method}' needs: build it with "
                "--store-images"
            )
        self._map, self._images, self._extractor = scene_map, scene_map.images, extractor
        self._kept: BoundedMemory[_Stored] = BoundedMemory(megabytes, lambda one: one.nbytes)

    def features(self, keyframe: int) -> DenseFeatures:
        """The dense features of a keyframe (B = 1).

        Raises:
            MapError: its image cannot be read.
        """
        stored = self._kept.get(keyframe, lambda: self._computed(keyframe))
        levels = {
            name: FeatureLevel(level.stride, level.offset, level.values.float())
            for name, level in stored.levels.items()
        }
        return DenseFeatures(levels, torch.empty(1, 0))

    def _computed(self, keyframe: int) -> _Stored:
        image = image_to_tensor(self._images(keyframe), self._extractor.device)
        features = self._extractor(image)
        return _Stored(
            {
                name: FeatureLevel(level.stride, level.offset, level.values.half())
                for name, level in features.levels.items()
                if name in LEVELS
            }
        )


def image_features(features: DenseFeatures, pixels: Tensor) -> Tensor:
    """What the network sees (N, C) at pixels (N, 2) of an image (B = 1)."""
    return torch.cat([features.levels[name].sample(pixels) for name in LEVELS], dim=-1)


def observed_pixels(
    scene_map: SceneMap, keyframe: int, features: DenseFeatures
) -> MapImagePixels | None:
    """The pixels of a keyframe (B = 1) of which the map has the depth; None where there are none.

    First those where the keyframe itself sees points. Where they are few, those where it should see
    the points of its neighbours: some may be hidden, which is for the network to tell.
    """
    own = scene_map.observations(keyframe)
    pixels = scene_map.observation_pixels[own].double()
    indices = scene_map.observation_points[own].long()
    pose = inverse_tensor(scene_map.keyframe_poses[keyframe])
    camera = scene_map.cameras[keyframe]
    intrinsics = torch.from_numpy(camera.intrinsics)
    if len(indices) < MOST_OBSERVED:
        others = _points_of_neighbours(scene_map, keyframe, indices)
        seen, _ = project(pose[None], scene_map.points[others].double(), intrinsics)
        limits = seen.new_tensor([camera.width - 1, camera.height - 1])
        inside = ((seen[0] >= 0) & (seen[0] <= limits)).all(-1)
        few = _spread(inside.nonzero()[:, 0], MOST_OBSERVED - len(indices))
        pixels, indices = torch.cat([pixels, seen[0, few]]), torch.cat([indices, others[few]])
    chosen = _spread(torch.arange(len(indices)), MOST_OBSERVED)
    pixels, indices = pixels[chosen], indices[chosen]
    points = scene_map.points[indices].double()
    depths = points @ pose[2, :3] + pose[2, 3]
    usable = depths > 0
    if not usable.any():
        return None
    pixels, depths = pixels[usable].float(), depths[usable].float()
    where = features.levels["coarse"].values
    positions = ((pixels - intrinsics[2:]) / intrinsics[:2]).float()
    return MapImagePixels(
        positions[None].to(where),
        image_features(features, pixels.to(where))[None],
        depths[None].to(where),
    )


def _points_of_neighbours(scene_map: SceneMap, keyframe: int, own: Tensor) -> Tensor:
    """The points (N,) that the nearest keyframes that look the same way see, but its own."""
    poses = scene_map.keyframe_poses
    same_way = poses[:, :3, 2] @ poses[keyframe, :3, 2] > 0.5
    distances = (poses[:, :3, 3] - poses[keyframe, :3, 3]).norm(dim=-1)
    distances = distances.masked_fill(~same_way, torch.inf)
    distances[keyframe] = torch.inf
    nearest = distances.argsort()[:NEIGHBOURS]
    nearest = nearest[distances[nearest].isfinite()].tolist()
    seen = [scene_map.observation_points[scene_map.observations(one)].long() for one in nearest]
    points = torch.unique(torch.cat([own[:0], *seen]))
    new: Tensor = points[~torch.isin(points, own)]
    return new


def _spread(values: Tensor, count: int) -> Tensor:
    """Up to `count` of the values (N,), evenly taken."""
    if len(values) <= count:
        return values
    return values[torch.linspace(0, len(values) - 1, count).round().long()]
