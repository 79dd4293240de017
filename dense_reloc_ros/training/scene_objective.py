"""What a run of DSM minimizes: the loss of its predictions, from images on."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from dense_reloc_ros.dsm.coordinates import coordinate_pyramid, coordinates_of_depth
from dense_reloc_ros.dsm.scene_matcher import SceneMatcher
from dense_reloc_ros.dsm.scene_views import LevelPrediction, SceneViews
from dense_reloc_ros.training.losses.value import LossValue
from dense_reloc_ros.training.objective import TrainingObjective
from dense_reloc_ros.training.scenes import SceneBatch


class SceneObjective(TrainingObjective):
    """Losses of scene matchers, and their weights."""

    def __init__(self, losses: Sequence[nn.Module], weights: Sequence[float]) -> None:
        super().__init__()
        self.losses = nn.ModuleList(losses)
        self._weights = list(weights)

    def evaluate(
        self, network: SceneMatcher, batch: SceneBatch, precision: torch.dtype
    ) -> LossValue:
        """The loss of the network's predictions for a batch."""
        predictions, views = predictions_of_scenes(network, batch, precision)
        value: LossValue = self(predictions, views, true_coordinates(batch, network), batch)
        return value

    def forward(
        self,
        predictions: Sequence[LevelPrediction],
        views: SceneViews,
        truth: Tensor,
        batch: SceneBatch,
    ) -> LossValue:
        """Σ weight * loss, with the parts of all."""
        total: Tensor = truth.new_zeros(())
        parts: dict[str, float] = {}
        for weight, loss in zip(self._weights, self.losses, strict=True):
            value = loss(predictions, views, truth, batch)
            total = total + weight * value.total
            parts.update(value.parts)
        return LossValue(total, parts)


def predictions_of_scenes(
    network: SceneMatcher, batch: SceneBatch, precision: torch.dtype
) -> tuple[list[LevelPrediction], SceneViews]:
    """Of the queries of a batch; features in `precision`, all that follows in float32."""
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
    return network.match(tuple(level[:size] for level in features), views), views


def true_coordinates(batch: SceneBatch, network: SceneMatcher) -> Tensor:
    """Of the queries (B, 3, h, w) on the finest level, metres in the map, nan where unknown."""
    return coordinates_of_depth(
        batch.depth, batch.T_map_camera, batch.intrinsics, network.strides[-1]
    )
