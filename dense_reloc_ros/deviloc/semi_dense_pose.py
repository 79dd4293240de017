"""The camera pose of aggregated points: RANSAC-PnP, refinement, and what supports it."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from dense_reloc_ros.deviloc.point_aggregation import AggregatedPoints
from dense_reloc_ros.geometry.projection import project
from dense_reloc_ros.pose.lo_ransac import refined_pose, robust_pose
from dense_reloc_ros.pose.reprojection import reprojection_covariance

REFINEMENT_PIXELS = 3.0
"""Scale of the Cauchy loss of the refinement, which RANSAC's wide threshold is too coarse for."""
NEAR_PIXELS = 5.0
"""Reprojection error of a place that supports the pose."""
FEWEST = 6
"""Places that support a pose."""
GRID = (8, 6)
"""Columns and rows of cells in which the support is counted."""
WIDE_SPREAD = 24
"""Cells with support, half of the image, from which on more do not raise the score."""


@dataclass(frozen=True)
class SemiDensePose:
    """A pose, and the places of the query that support it."""

    T_camera_map: Tensor
    """(4, 4) float64."""
    covariance: Tensor
    """(6, 6) of T_map_camera in ROS order, float64; as if the places erred by themselves."""
    pixels: Tensor
    """(N, 2) of the supporting places."""
    points: Tensor
    """(N, 3) that they show."""
    share: float
    """Of all places."""

    @property
    def median_depth(self) -> float:
        """Of the supporting points, in metres."""
        return float((self.points @ self.T_camera_map[2, :3] + self.T_camera_map[2, 3]).median())

    def score(self, width: int, height: int) -> float:
        """The share of places that support the pose, less where they are in few parts of it."""
        scale = self.pixels.new_tensor([GRID[0] / width, GRID[1] / height])
        cells = ((self.pixels + 0.5) * scale).long()
        spread = len(torch.unique(cells[:, 1] * GRID[0] + cells[:, 0]))
        return self.share * min(1.0, spread / WIDE_SPREAD)


def find_pose(
    places: AggregatedPoints, intrinsics: Tensor, threshold: float
) -> SemiDensePose | None:
    """The pose at which most places show their points; None where too few do.

    Args:
        places: of the query.
        intrinsics: (4,) fx, fy, cx, cy.
        threshold: largest reprojection error of an inlier of RANSAC in pixels.
    """
    pixels, points = places.pixels.cpu(), places.points.cpu()
    T_camera_map = robust_pose(pixels, points, intrinsics, threshold)
    if T_camera_map is None:
        return None
    T_camera_map = refined_pose(T_camera_map, pixels, points, intrinsics, REFINEMENT_PIXELS)
    projected, _ = project(T_camera_map[None], points, intrinsics)
    near = (projected[0] - pixels).norm(dim=-1).nan_to_num(torch.inf) <= NEAR_PIXELS
    if int(near.sum()) < FEWEST:
        return None
    return SemiDensePose(
        T_camera_map,
        reprojection_covariance(T_camera_map, points[near], pixels[near], intrinsics),
        pixels[near],
        points[near],
        float(near.double().mean()),
    )
