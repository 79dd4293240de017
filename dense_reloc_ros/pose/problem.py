"""What a pose estimator gets: map points, their coarse maps, and what it needs for finer ones."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from dense_reloc_ros.features.extractor import FeatureLevel
from dense_reloc_ros.geometry.projection import project
from dense_reloc_ros.matching.windows import local_log_maps
from dense_reloc_ros.pose.fine_maps import fine_loss_maps
from dense_reloc_ros.pose.loss_maps import LossMaps, loss_maps


@dataclass(frozen=True)
class PoseProblem:
    """M map points against one query image."""

    points: Tensor
    """(M, 3), metres in the map frame."""
    intrinsics: Tensor
    """(4,) fx, fy, cx, cy in pixels."""
    log_coarse: Tensor
    """Log correspondence maps (M, h, w) on the whole image."""
    coarse_descriptors: Tensor
    """(M, C)."""
    coarse_level: FeatureLevel
    fine_descriptors: Tensor
    """(M, C)."""
    fine_level: FeatureLevel
    fine_temperature: float

    @cached_property
    def coarse_maps(self) -> LossMaps:
        """Loss maps on the whole image (eq. 4.7)."""
        categories = 1 + self.log_coarse.shape[1:].numel()
        level = self.coarse_level
        return loss_maps(self.log_coarse, categories, level.stride, level.offset)

    def fine_maps(self, centres: Tensor, size: int) -> LossMaps:
        """High-resolution loss maps in windows of `size` cells around pixels (M, 2)."""
        windows = local_log_maps(
            self.fine_descriptors, self.fine_level, centres, size, self.fine_temperature
        )
        return fine_loss_maps(windows, self.fine_level, self.log_coarse, self.coarse_level)

    def select(self, points: Tensor) -> PoseProblem:
        """The problem of some of the points (indices or mask)."""
        return PoseProblem(
            self.points[points],
            self.intrinsics,
            self.log_coarse[points],
            self.coarse_descriptors[points],
            self.coarse_level,
            self.fine_descriptors[points],
            self.fine_level,
            self.fine_temperature,
        )


@dataclass(frozen=True)
class FoundPose:
    """The pose that an estimator found, with the maps it was judged on last."""

    T_camera_map: Tensor
    """(4, 4)."""
    points: Tensor
    """(N,) indices of the points whose coarse maps leave their place at this pose possible."""
    fine_maps: LossMaps
    """High-resolution maps of these points, in windows around their reprojections."""

    def gains(self, problem: PoseProblem) -> Tensor:
        """What each of all M points gains over an outlier at this pose, (M,)."""
        pixels, _ = project(
            self.T_camera_map[None], problem.points[self.points], problem.intrinsics
        )
        gains = torch.zeros_like(problem.points[:, 0])
        return gains.index_copy_(0, self.points, self.fine_maps.gains_at(pixels)[0])


def fine_maps_of(problem: PoseProblem, T_camera_map: Tensor, size: int) -> FoundPose:
    """A pose (4, 4) with the fine maps around it of the points that can matter.

    Where a coarse map is truncated at the pose, the coarse probability of the window is next to
    nothing and the fine map would be truncated everywhere.
    """
    pixels, _ = project(T_camera_map[None], problem.points, problem.intrinsics)
    possible = (problem.coarse_maps.gains_at(pixels)[0] > 0).nonzero()[:, 0]
    maps = problem.select(possible).fine_maps(pixels[0, possible], size)
    return FoundPose(T_camera_map, possible, maps)
