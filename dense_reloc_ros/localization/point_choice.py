"""Which points of the retrieved keyframes an image is matched with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from dense_reloc_ros.features.extractor import DenseFeatures
from dense_reloc_ros.geometry.arrays import FloatArray
from dense_reloc_ros.geometry.camera import Camera
from dense_reloc_ros.retrieval.local_evidence import distinctiveness
from dense_reloc_ros.retrieval.look_alikes import in_sight
from dense_reloc_ros.scene.scene_map import SceneMap

Quality = Callable[[DenseFeatures, SceneMap, Tensor, float], Tensor]
"""How good observations (N,) are for an image at a temperature, (N,)."""


def _all(observations: Tensor) -> Tensor:
    return observations


@dataclass(frozen=True)
class PointChoice:
    """Observations of a higher quality go first."""

    quality: Quality = distinctiveness
    among: Callable[[Tensor], Tensor] = _all
    """Those of observations (N,) that may be chosen."""


DISTINCTIVE = PointChoice()
"""The points that look like few places of the image."""


def out_of_sight(
    scene_map: SceneMap, T_map_camera: FloatArray, camera: Camera, most: int
) -> PointChoice:
    """The most distinctive points that a camera at a pose (4, 4) does not have in its image.

    Among `most` observations, spread evenly over all of them.
    """
    arrays = scene_map.arrays

    def among(observations: Tensor) -> Tensor:
        points = arrays.points[arrays.observation_points[observations.numpy()]]
        outside = observations[torch.from_numpy(~in_sight(points, T_map_camera, camera))]
        return outside[:: max(1, -(-len(outside) // most))]

    return PointChoice(among=among)
