"""What a pose estimator gets: map points, their coarse maps, and what it needs for finer ones."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

from torch import Tensor

from dense_reloc_ros.features.extractor import FeatureLevel
from dense_reloc_ros.geometry.projection import project
from dense_reloc_ros.geometry.rig import Cameras, PointCameras, cameras_of
from dense_reloc_ros.pose.fine_maps import fine_maps_around
from dense_reloc_ros.pose.gains import gains_at_poses
from dense_reloc_ros.pose.loss_maps import LossMaps, category_count, loss_maps


class CoarseProblem(Protocol):
    """Points with loss maps: all that coarse poses are found from."""

    @property
    def points(self) -> Tensor:
        """(M, 3), metres in the map frame."""
        ...

    @property
    def intrinsics(self) -> Cameras:
        """Of the image that the maps belong to."""
        ...

    @property
    def coarse_maps(self) -> LossMaps:
        """One for each point."""
        ...


@dataclass(frozen=True)
class PoseProblem:
    """M map points against one query image, or against the images of a rig.

    Of a rig, each point is looked for in one image; one seen by several cameras stands there once
    for each. The levels hold all images, and what is called camera in poses is the rig's body.
    """

    points: Tensor
    """(M, 3), metres in the map frame."""
    intrinsics: Cameras
    """(4,) fx, fy, cx, cy in pixels, or the cameras of a rig, one for each image."""
    log_coarse: Tensor
    """Log correspondence maps (M, h, w) on the whole image; -inf beyond that of a point."""
    coarse_descriptors: Tensor
    """(M, C)."""
    coarse_level: FeatureLevel
    fine_descriptors: Tensor
    """(M, C)."""
    fine_level: FeatureLevel
    fine_temperature: float

    @property
    def images(self) -> Tensor | None:
        """Which image (M,) each point is looked for in; None where there is one."""
        return self.intrinsics.index if isinstance(self.intrinsics, PointCameras) else None

    @cached_property
    def coarse_maps(self) -> LossMaps:
        """Loss maps on the whole image (eq. 4.7)."""
        level = self.coarse_level
        categories = category_count(level, self.images)
        return loss_maps(self.log_coarse, categories, level.stride, level.offset)

    def fine_maps(self, centres: Tensor, size: int) -> LossMaps:
        """High-resolution loss maps in windows of `size` cells around pixels (M, 2)."""
        return fine_maps_around(
            centres,
            size,
            self.fine_descriptors,
            self.fine_level,
            self.fine_temperature,
            self.log_coarse,
            self.coarse_level,
            self.images,
        )

    def select(self, points: Tensor) -> PoseProblem:
        """The problem of some of the points (indices or mask)."""
        return PoseProblem(
            self.points[points],
            cameras_of(points, self.intrinsics),
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
        cameras, points = cameras_of(self.points, problem.intrinsics), problem.points[self.points]
        found = gains_at_poses(self.fine_maps, points, cameras, self.T_camera_map[None])[0]
        gains = problem.points.new_zeros(len(problem.points))
        return gains.index_copy_(0, self.points, found)


def fine_maps_of(problem: PoseProblem, T_camera_map: Tensor, size: int) -> FoundPose:
    """A pose (4, 4) with the fine maps around it of the points that can matter.

    Where a coarse map is truncated at the pose, the coarse probability of the window is next to
    nothing and the fine map would be truncated everywhere.
    """
    pixels, _ = project(T_camera_map[None], problem.points, problem.intrinsics)
    gains = gains_at_poses(
        problem.coarse_maps, problem.points, problem.intrinsics, T_camera_map[None]
    )
    possible = (gains[0] > 0).nonzero()[:, 0]
    maps = problem.select(possible).fine_maps(pixels[0, possible], size)
    return FoundPose(T_camera_map, possible, maps)
