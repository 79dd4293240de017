"""DSM's loss: L1 of the coordinates, and the average precision of the certainties (paper 3.4)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from dense_reloc_ros.dsm.coordinate_pyramid import (
    LocalFrame,
    cell_centres,
    coordinate_pyramid,
)
from dense_reloc_ros.dsm.scene_views import LevelPrediction, SceneViews
from dense_reloc_ros.geometry.projection import project
from dense_reloc_ros.parameter_blocks import Block
from dense_reloc_ros.training.examples import SceneBatch
from dense_reloc_ros.training.losses.value import LossValue


class SceneCoordinateLossConfiguration(Block):
    """DSM's loss; on every level."""

    name: Literal["scene_coordinates"] = "scene_coordinates"
    certainty_weight: float = Field(1.0, ge=0, description="Of 1 - average precision")
    correct_pixels: float = Field(
        1.0,
        gt=0,
        description="Reprojection error below which a coordinate of the finest level is "
        "correct; on the others it grows with the stride",
    )
    bins: int = Field(20, ge=2, description="Of the quantized average precision")
    seen_only: bool = Field(
        False, description="Learn coordinates only where some scene image shows them"
    )
    seen_tolerance: float = Field(
        0.05, gt=0, description="Distance of a scene point that shows a query's, over its depth"
    )


class SceneCoordinateLoss(nn.Module):
    """Mean L1 distance in the local frame + weight * (1 - average precision), over all levels."""

    def __init__(self, configuration: SceneCoordinateLossConfiguration) -> None:
        super().__init__()
        self._configuration = configuration

    def forward(
        self,
        predictions: Sequence[LevelPrediction],
        views: SceneViews,
        truth: Tensor,
        batch: SceneBatch,
    ) -> LossValue:
        """Of predictions whose finest level should be `truth` (B, 3, h, w), nan where unknown."""
        c = self._configuration
        frame = LocalFrame.of_views(views.coordinates[-1], views.T_camera_map)
        T_camera_map = torch.linalg.inv(batch.T_map_camera)
        stride = predictions[-1].stride
        seen = seen_in_views(truth, views, T_camera_map, stride, c.seen_tolerance)
        learned = truth.where(seen[:, None], torch.nan) if c.seen_only else truth
        total, parts = truth.new_zeros(()), {}
        levels = len(predictions)
        pyramids = [coordinate_pyramid(one, levels) for one in (learned, truth)]
        for prediction, wanted, true in zip(predictions, *pyramids, strict=True):
            error = frame.normalized(prediction.coordinates) - frame.normalized(wanted)
            known = error.isfinite().all(1)
            # Not only masked: the gradient of what is not known would be nan times zero.
            distance = _masked_mean(error.nan_to_num(0.0).abs().sum(1), known)
            limit = c.correct_pixels * prediction.stride / stride
            correct = reprojection_errors(prediction, T_camera_map, batch.intrinsics) < limit
            loss = ranking_loss(prediction.certainty, correct, true.isfinite().all(1), c.bins)
            total = total + distance + c.certainty_weight * loss
            name = f"stride_{prediction.stride}"
            parts[f"{name}/coordinates"] = float(distance.detach())
            parts[f"{name}/ranking"] = float(loss.detach())
        return LossValue(total, parts)


def seen_in_views(
    truth: Tensor, views: SceneViews, T_camera_map: Tensor, stride: int, tolerance: float
) -> Tensor:
    """Whether a scene image shows points (B, 3, h, w) of a query with T_camera_map (B, 4, 4).

    It does where the scene point of the finest level, of this stride, at the point's projection is
    as near to it as the share `tolerance` of its depth; (B, h, w), false where the truth is nan.
    """
    points, maps = truth.flatten(2).mT, views.coordinates[-1]
    height, width = maps.shape[-2:]
    scale = maps.new_tensor([width, height])
    pixels, _ = project(views.T_camera_map, points[:, None], views.intrinsics[:, :, None])
    cells = ((pixels - (stride - 1) / 2) / stride).round()
    inside = ((cells >= 0) & (cells < scale)).all(-1)
    cells = cells.where(inside[..., None], 0).long()
    index = (cells[..., 1] * width + cells[..., 0])[:, :, None].expand(-1, -1, 3, -1)
    there = maps.flatten(3).gather(3, index).mT
    rotation, translation = T_camera_map[:, :3, :3], T_camera_map[:, None, :3, 3]
    depth = (points @ rotation.mT + translation)[..., 2]
    near = (there - points[:, None]).norm(dim=-1) <= tolerance * depth[:, None]
    seen: Tensor = (near & inside).any(1)
    return seen.reshape(truth[:, 0].shape)


def reprojection_errors(
    prediction: LevelPrediction, T_camera_map: Tensor, intrinsics: Tensor
) -> Tensor:
    """Pixels (B, h, w) from cells to where their coordinates project; inf behind the camera."""
    points = prediction.coordinates.detach().flatten(2).mT
    pixels, _ = project(T_camera_map, points, intrinsics[:, None])
    height, width = prediction.certainty.shape[-2:]
    centres = cell_centres(height, width, prediction.stride, pixels)
    errors: Tensor = (pixels - centres.flatten(0, 1)).norm(dim=-1)
    return errors.nan_to_num(torch.inf).reshape(prediction.certainty.shape)


def ranking_loss(certainty: Tensor, correct: Tensor, known: Tensor, bins: int) -> Tensor:
    """Mean of 1 - average precision over the images (B, h, w) that have correct pixels."""
    losses = [
        1 - average_precision(certainty[image][known[image]], correct[image][known[image]], bins)
        for image in range(len(certainty))
        if (correct[image] & known[image]).any()
    ]
    return torch.stack(losses).mean() if losses else 0 * certainty.sum()


def average_precision(scores: Tensor, correct: Tensor, bins: int) -> Tensor:
    """The average precision () of scores (P,) in [0, 1] that should rank `correct` first.

    It can be learned, as scores are quantized (Revaud et al., 2019): one belongs to the two bins
    between whose centres it lies, as the linear interpolation says; bins are ranked, the highest
    first. Some entry of `correct` (P,) is true.
    """
    centres = torch.linspace(1, 0, bins, dtype=scores.dtype, device=scores.device)
    membership = (1 - (scores - centres[:, None]).abs() * (bins - 1)).clamp(min=0)
    in_bin = membership.sum(1)
    correct_in_bin = membership @ correct.to(scores.dtype)
    # An empty first bin has no precision, and no recall to weigh it with.
    precision = correct_in_bin.cumsum(0) / in_bin.cumsum(0).clamp(min=1e-12)
    return (precision * correct_in_bin).sum() / correct_in_bin.sum()


def _masked_mean(values: Tensor, mask: Tensor) -> Tensor:
    """Of values (...) where the mask is; zero, differentiable, where it is nowhere."""
    return values.where(mask, 0).sum() / mask.sum().clamp(min=1)
