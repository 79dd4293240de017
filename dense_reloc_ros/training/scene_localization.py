"""What DSM predicts of training queries, and how well it localizes the validation queries."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median_low

import torch
from torch import Tensor

from dense_reloc_ros.dsm.coordinate_pyramid import (
    cell_centres,
    coordinate_pyramid,
    coordinates_of_depth,
)
from dense_reloc_ros.dsm.scene_matcher import SceneMatcher
from dense_reloc_ros.dsm.scene_views import LevelPrediction, SceneViews
from dense_reloc_ros.geometry.se3 import PoseError, pose_error
from dense_reloc_ros.pose.lo_ransac import robust_pose
from dense_reloc_ros.training.examples import SceneBatch
from dense_reloc_ros.training.losses.scene_coordinate_loss import seen_in_views

CERTAIN_SHARE = 0.5
"""Of the pixels, the most certain ones, that poses are computed from."""
INLIER_PIXELS = 3.0
NEAR_METRES = 0.1
SEEN_TOLERANCE = 0.05


def predictions_of_scenes(
    network: SceneMatcher, batch: SceneBatch, precision: torch.dtype
) -> tuple[list[LevelPrediction], SceneViews, Tensor, SceneBatch]:
    """What DSM says of the queries of a batch: what its losses get.

    Features in `precision`, all that follows in float32.

    Returns:
        Predictions of all levels, the scene images, the true coordinates (B, 3, h, w) on the finest
        level, metres in the map, nan where unknown, and the batch.
    """
    size, count = batch.scene_images.shape[:2]
    images = torch.cat([batch.image, batch.scene_images.flatten(0, 1)])
    enabled = precision != torch.float32
    with torch.autocast(images.device.type, precision if enabled else None, enabled=enabled):
        features = [level.float() for level in network.pyramid(images)]
    coordinates = coordinates_of_depth(
        batch.scene_depth, batch.T_map_scene, batch.scene_intrinsics, network.strides[-1]
    )
    views = SceneViews(
        tuple(level[size:].reshape(size, count, *level.shape[1:]) for level in features),
        coordinate_pyramid(coordinates, len(network.strides)),
        torch.linalg.inv(batch.T_map_scene),
        batch.scene_intrinsics,
    )
    truth = coordinates_of_depth(
        batch.depth, batch.T_map_camera, batch.intrinsics, network.strides[-1]
    )
    predictions = network.match(tuple(level[:size] for level in features), views)
    return predictions, views, truth, batch


@dataclass
class Localizations:
    """Coordinates and poses of all queries that were added.

    `coordinates_median_m`, `coordinates_10cm`: median error, and share of errors below 10 cm, of
    what scene images show. `pose_5cm_5deg`: share of the queries whose pose, by RANSAC and PnP from
    the most certain half of the pixels, is that good. `pose_median_m`: median error of the poses.
    """

    errors: list[Tensor] = field(default_factory=list)
    metres: list[float] = field(default_factory=list)
    degrees: list[float] = field(default_factory=list)

    def add(
        self,
        predictions: Sequence[LevelPrediction],
        views: SceneViews,
        truth: Tensor,
        batch: SceneBatch,
    ) -> None:
        """What `predictions_of_scenes` gave of a batch."""
        T_camera_map, stride = torch.linalg.inv(batch.T_map_camera), predictions[-1].stride
        seen = seen_in_views(truth, views, T_camera_map, stride, SEEN_TOLERANCE)
        self.add_finest(predictions[-1], truth.where(seen[:, None], torch.nan), batch)

    def add_finest(self, finest: LevelPrediction, truth: Tensor, batch: SceneBatch) -> None:
        """Queries with their true coordinates (B, 3, h, w), nan where these do not count."""
        distance = (finest.coordinates - truth).norm(dim=1)
        self.errors.append(distance[distance.isfinite()].cpu())
        for image, true in enumerate(batch.T_map_camera):
            pose = pose_of(finest, image, batch.intrinsics[image])
            error = PoseError(math.inf, math.pi)
            if pose is not None:
                found = torch.linalg.inv(pose.double()).cpu().numpy()
                error = pose_error(true.double().cpu().numpy(), found)
            self.metres.append(error.translation)
            self.degrees.append(math.degrees(error.rotation))

    def metrics(self) -> Mapping[str, float]:
        """By name."""
        errors = torch.cat(self.errors)
        good = [m < 0.05 and d < 5 for m, d in zip(self.metres, self.degrees, strict=True)]
        return {
            "coordinates_median_m": float(errors.median()) if len(errors) else math.nan,
            "coordinates_10cm": float((errors < NEAR_METRES).float().mean()),
            "pose_5cm_5deg": sum(good) / len(good),
            "pose_median_m": median_low(self.metres),
            "pose_median_deg": median_low(self.degrees),
        }


def pose_of(prediction: LevelPrediction, image: int, intrinsics: Tensor) -> Tensor | None:
    """T_camera_map (4, 4) of one of the queries, from its most certain pixels; None without."""
    certainty = prediction.certainty[image].flatten()
    count = round(CERTAIN_SHARE * len(certainty))
    chosen = certainty.topk(count).indices
    height, width = prediction.certainty.shape[-2:]
    centres = cell_centres(height, width, prediction.stride, intrinsics).flatten(0, 1)
    points = prediction.coordinates[image].flatten(1).T
    return robust_pose(centres[chosen], points[chosen], intrinsics, INLIER_PIXELS)
