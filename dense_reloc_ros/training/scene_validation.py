"""How well DSM localizes on the validation queries, besides its loss."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from dense_reloc_ros.dsm.coordinates import cell_centres
from dense_reloc_ros.dsm.scene_matcher import SceneMatcher
from dense_reloc_ros.dsm.scene_views import LevelPrediction
from dense_reloc_ros.pose.reprojection import robust_pose
from dense_reloc_ros.training.batches import Source, validation_batches
from dense_reloc_ros.training.losses.scene_coordinates import seen_in_views
from dense_reloc_ros.training.reproducibility import seed_step
from dense_reloc_ros.training.scene_objective import (
    SceneObjective,
    predictions_of_scenes,
    true_coordinates,
)
from dense_reloc_ros.training.scenes import SceneBatch

CERTAIN_SHARE = 0.5
"""Of the pixels, the most certain ones, that poses are computed from."""
INLIER_PIXELS = 3.0
NEAR_METRES = 0.1
SEEN_TOLERANCE = 0.05


@dataclass(frozen=True)
class SceneValidator:
    """Measures scene matchers on the first queries of a source, the same ones each time."""

    source: Source
    queries: int
    batch_size: int
    workers: int

    @torch.no_grad()
    def __call__(
        self,
        network: SceneMatcher,
        objective: SceneObjective,
        device: torch.device,
        interrupted: Callable[[], bool] = lambda: False,
    ) -> dict[str, float] | None:
        """The means of the loss and its parts, and the metrics of `Localizations`.

        Leaves the network as it was. None where it was interrupted.
        """
        seed_step(0, 0)
        was_training = network.training
        network.eval()
        sums: defaultdict[str, float] = defaultdict(float)
        found = Localizations()
        try:
            batches = validation_batches(self.source, self.queries, self.batch_size, self.workers)
            for batch in batches:
                if interrupted():
                    return None
                batch = batch.to(device)
                predictions, views = predictions_of_scenes(network, batch, torch.float32)
                truth = true_coordinates(batch, network)
                value = objective(predictions, views, truth, batch)
                share = len(batch.place) / self.queries
                for name, number in {"loss": float(value.total), **value.parts}.items():
                    sums[name] += share * number
                pose = torch.linalg.inv(batch.T_map_camera)
                seen = seen_in_views(truth, views, pose, network.strides[-1], SEEN_TOLERANCE)
                found.add(predictions[-1], truth.where(seen[:, None], torch.nan), batch)
        finally:
            network.train(was_training)
        return {**sums, **found.metrics()}


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

    def add(self, finest: LevelPrediction, truth: Tensor, batch: SceneBatch) -> None:
        """Queries with their true coordinates (B, 3, h, w), nan where these do not count."""
        distance = (finest.coordinates - truth).norm(dim=1)
        self.errors.append(distance[distance.isfinite()].cpu())
        for image, true in enumerate(batch.T_map_camera):
            pose = pose_of(finest, image, batch.intrinsics[image])
            metres, degrees = (math.inf, 180.0) if pose is None else _apart(pose, true)
            self.metres.append(metres)
            self.degrees.append(degrees)

    def metrics(self) -> Mapping[str, float]:
        """By name."""
        errors = torch.cat(self.errors)
        good = [m < 0.05 and d < 5 for m, d in zip(self.metres, self.degrees, strict=True)]
        return {
            "coordinates_median_m": float(errors.median()) if len(errors) else math.nan,
            "coordinates_10cm": float((errors < NEAR_METRES).float().mean()),
            "pose_5cm_5deg": sum(good) / len(good),
            "pose_median_m": _median(self.metres),
            "pose_median_deg": _median(self.degrees),
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


def _apart(T_camera_map: Tensor, T_map_camera: Tensor) -> tuple[float, float]:
    """Metres and degrees between a pose and the true one."""
    found = torch.linalg.inv(T_camera_map.double())
    metres = float((found[:3, 3] - T_map_camera[:3, 3]).norm())
    turned = found[:3, :3].T @ T_map_camera[:3, :3].double()
    cosine = (turned.diagonal().sum() - 1) / 2
    return metres, math.degrees(math.acos(float(cosine.clamp(-1, 1))))


def _median(values: Sequence[float]) -> float:
    return float(torch.tensor(values).median())
