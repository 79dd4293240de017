"""Map points against a frame: by the map alone, and with the previous frame's help (DSM 3.3.1)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from dense_reloc_ros.geometry import se3
from dense_reloc_ros.geometry.arrays import FloatArray
from dense_reloc_ros.localization.sparse_to_dense import SparseToDenseLocalizer
from dense_reloc_ros.pose.problem import PoseProblem
from dense_reloc_ros.retrieval.distinct_views import median_depth
from dense_reloc_ros.retrieval.nearest_poses import nearest_poses
from dense_reloc_ros.scene.selection import all_observations
from dense_reloc_ros.temporal.fused_frames import AcceptedFrame, LocalizedFrame
from dense_reloc_ros.temporal.keyframes_in_view import keyframes_in_view
from dense_reloc_ros.temporal.mixed_correlation import (
    descriptors_in,
    joint_descriptors,
    mix_correlations,
    visible_pixels,
)


@dataclass(frozen=True)
class Matches:
    """Points (M,) of some keyframes, correlated with a frame in both ways."""

    keyframes: list[int]
    point_indices: Tensor
    by_map: PoseProblem
    fused: PoseProblem

    def depth(self, T_camera_map: Tensor) -> float:
        """The median distance of the points from a camera (4, 4)."""
        in_camera = self.by_map.points @ T_camera_map[:3, :3].mT + T_camera_map[:3, 3]
        return float(in_camera.norm(dim=-1).median())


def match_with_previous(
    localizer: SparseToDenseLocalizer,
    frame: LocalizedFrame,
    earlier: Sequence[AcceptedFrame],
    predicted: Tensor,
    share: float,
) -> Matches | None:
    """Matches of what should be in view; None where the map shows nothing of it.

    Args:
        localizer: of single frames.
        frame: that is to be localized, with features.
        earlier: frames before, the newest first.
        predicted: T_camera_map (4, 4) that the frame should have.
        share: α, that of the map's correlation.
    """
    features = frame.features
    assert features is not None
    scene_map, count = localizer.scene_map, localizer.configuration.retrieval.keyframes
    alone = frame.localization.estimate
    previous = earlier[0]
    depth = float(median_depth(scene_map, previous.estimate.keyframes[0]))
    candidates = [
        *previous.estimate.keyframes,
        *(alone.keyframes if alone is not None else ()),
        *nearest_poses(scene_map, torch.linalg.inv(predicted.double()), depth, count),
    ]
    keyframes = keyframes_in_view(scene_map, candidates, predicted, frame.camera, count)
    if not keyframes:
        return None
    observations = localizer.select(features, keyframes)
    point_indices = scene_map.observation_points[observations]
    from_map = localizer.descriptors(observations)
    by_map = localizer.problem(features, frame.camera, point_indices, from_map)
    fused = by_map
    if share < 1:
        occluders = _points_of(localizer, keyframes)
        from_earlier, is_seen = joint_descriptors(
            [_as_seen(one, by_map.points, occluders) for one in earlier]
        )
        mixed = mix_correlations(from_map, from_earlier, is_seen, share)
        fused = localizer.problem(features, frame.camera, point_indices, mixed)
    return Matches(keyframes, point_indices, by_map, fused)


def _as_seen(
    frame: AcceptedFrame, points: Tensor, occluders: Tensor
) -> tuple[dict[str, Tensor], Tensor]:
    """The descriptors (M, C) of points at each level as a frame has them, and which it sees."""
    T_camera_map = tensor_of(frame.estimate.T_map_camera)
    pixels, is_seen = visible_pixels(T_camera_map, frame.camera, points, occluders)
    return descriptors_in(frame.features, pixels), is_seen


def tensor_of(T_map_camera: FloatArray) -> Tensor:
    """T_camera_map (4, 4) float32 of T_map_camera."""
    return torch.from_numpy(se3.inverse(T_map_camera)).float()


def _points_of(localizer: SparseToDenseLocalizer, keyframes: list[int]) -> Tensor:
    """All points (N, 3) that some keyframes see."""
    scene_map = localizer.scene_map
    points = scene_map.observation_points[all_observations(scene_map, keyframes)]
    return scene_map.points[torch.unique(points)]
