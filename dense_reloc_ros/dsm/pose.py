"""The camera pose of predicted scene coordinates: RANSAC and PnP (paper 3.1), and its support."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from dense_reloc_ros.dsm.coordinate_pyramid import cell_centres
from dense_reloc_ros.dsm.scene_views import LevelPrediction
from dense_reloc_ros.geometry.projection import project
from dense_reloc_ros.pose.lo_ransac import robust_pose
from dense_reloc_ros.pose.reprojection import reprojection_covariance
from dense_reloc_ros.scene.scene_map import SceneMap
from dense_reloc_ros.scene.selection import all_observations

AGREEMENT = 0.05
"""Share of the depth by which a map point and the predicted point may differ."""


@dataclass(frozen=True)
class JudgedPose:
    """A pose, and in which cells of an image it shows their predicted points."""

    T_camera_map: Tensor
    """(4, 4) float64."""
    covariance: Tensor
    """(6, 6) of T_map_camera in ROS order, float64; as if the cells erred by themselves."""
    inliers: Tensor
    """(h, w) bool."""

    @property
    def score(self) -> float:
        """The share of cells that are inliers."""
        return float(self.inliers.double().mean())


def find_pose(prediction: LevelPrediction, intrinsics: Tensor, threshold: float) -> Tensor | None:
    """T_camera_map (4, 4), float64, of predicted coordinates (B = 1), None where there is none.

    Args:
        prediction: of the finest level.
        intrinsics: (4,) fx, fy, cx, cy of the network's image, float64.
        threshold: largest reprojection error of an inlier, in pixels of that image.
    """
    points, pixels = correspondences(prediction)
    return robust_pose(pixels, points, intrinsics, threshold)


def judge_pose(
    prediction: LevelPrediction, T_camera_map: Tensor, intrinsics: Tensor, threshold: float
) -> JudgedPose:
    """How well a pose (4, 4) agrees with predicted coordinates (B = 1), perhaps those of another.

    The other arguments are those of `find_pose`.
    """
    points, pixels = correspondences(prediction)
    projected, _ = project(T_camera_map[None], points, intrinsics)
    errors = (projected[0] - pixels).norm(dim=-1).nan_to_num(torch.inf)
    kept = errors <= threshold
    covariance = reprojection_covariance(T_camera_map, points[kept], pixels[kept], intrinsics)
    inliers = kept.reshape(prediction.coordinates.shape[-2:])
    return JudgedPose(T_camera_map, covariance, inliers)


def correspondences(prediction: LevelPrediction) -> tuple[Tensor, Tensor]:
    """The points (h * w, 3) and the pixels (h * w, 2) of all cells, float64 on the CPU."""
    points = prediction.coordinates[0].double().cpu().flatten(1).T
    height, width = prediction.coordinates.shape[-2:]
    return points, cell_centres(height, width, prediction.stride, points).flatten(0, 1)


def supporting_points(
    scene_map: SceneMap,
    keyframes: Sequence[int],
    prediction: LevelPrediction,
    T_camera_map: Tensor,
    intrinsics: Tensor,
) -> Tensor:
    """The points (M,) of the map that some keyframes see and that the prediction agrees with.

    A point agrees where the pose puts it into a cell whose predicted point is near it.
    """
    observed = scene_map.observation_points[all_observations(scene_map, list(keyframes))]
    indices = torch.unique(observed)
    points = scene_map.points[indices].double()
    pixels, in_camera = project(T_camera_map[None], points, intrinsics)
    height, width = prediction.coordinates.shape[-2:]
    cells = (pixels[0] - (prediction.stride - 1) / 2) / prediction.stride
    columns, rows = cells.nan_to_num(-1.0).round().long().unbind(-1)
    inside = (columns >= 0) & (columns < width) & (rows >= 0) & (rows < height)
    predicted, _ = correspondences(prediction)
    there = predicted[(rows * width + columns)[inside]]
    gaps = (there - points[inside]).norm(dim=-1)
    agreeing: Tensor = indices[inside][gaps <= AGREEMENT * in_camera[0, inside, 2]]
    return agreeing
