"""A coarse pose of a view, found in a few milliseconds: is there anything in it to look at?

The cells of the view and the points of its keyframes that are each other's best match give a pose
by RANSAC. Of an image of another place a few of them agree by chance; so it is told, before fine
maps are made, which views are worth them, and where to begin.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from dense_reloc_ros.features.extractor import DenseFeatures
from dense_reloc_ros.geometry.arrays import FloatArray
from dense_reloc_ros.geometry.camera import Camera
from dense_reloc_ros.geometry.se3 import inverse
from dense_reloc_ros.pose.lo_ransac import consensus
from dense_reloc_ros.retrieval.local_evidence import mutual_cells, spread_rows
from dense_reloc_ros.scene.scene_map import SceneMap

PAIRS = 3_000_000
"""Observations times cells that are compared at most; of larger views, fewer observations are."""
BEST_MATCHES = 300
"""Of observations and cells, by which the pose is found."""
ITERATIONS = 1000
"""Of RANSAC at most."""


@dataclass(frozen=True)
class CoarsePose:
    """What the points of some keyframes say about where a view was taken."""

    T_map_view: FloatArray
    """(4, 4)."""
    keyframes: tuple[int, ...]
    supporting_points: NDArray[np.int64]
    """(N,) indices of the map points that agree with the pose within a coarse cell."""
    support: int
    """The number of coarse cells that they fall into: many points in one cell say no more."""


def coarse_pose(
    features: DenseFeatures,
    camera: Camera,
    scene_map: SceneMap,
    keyframes: Sequence[int],
    temperature: float,
) -> CoarsePose | None:
    """The pose by the coarse cells that the points of some keyframes match best, if any agree.

    `camera` is that of the features' image, `temperature` that of the coarse maps' softmax.
    """
    arrays, chosen = scene_map.arrays, list(keyframes)
    if not chosen:
        return None
    level = features.levels["coarse"]
    most = PAIRS // (len(chosen) * level.values[0, 0].numel())
    rows, _ = spread_rows(arrays.offsets[chosen], arrays.counts(chosen), max(1, most))
    observations = torch.from_numpy(rows)
    quality, cells = mutual_cells(features, scene_map, observations, temperature)
    best = quality.argsort(descending=True, stable=True)[:BEST_MATCHES].cpu()
    points = scene_map.observation_points[observations[best]].long()
    cells = cells.cpu()[best]
    intrinsics = torch.tensor([camera.fx, camera.fy, camera.cx, camera.cy])
    pixels = level.offset + level.stride * cells
    found = consensus(
        pixels, scene_map.points[points], intrinsics, level.stride, ITERATIONS, surest_first=True
    )
    if found is None:
        return None
    T_camera_map, agrees = found
    support = len(np.unique(cells.numpy()[agrees.numpy()], axis=0))
    supporting = np.unique(points[agrees].numpy())
    return CoarsePose(inverse(T_camera_map.double().numpy()), tuple(chosen), supporting, support)
