"""Cameras that are fixed to one body, whose one pose is looked for."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor

from dense_reloc_ros.geometry.se3 import hat


@dataclass(frozen=True)
class PointCameras:
    """Which of C cameras on a body each of M points is to be seen by.

    Several cameras at one time, and one camera at several times with odometry between them, are
    the same thing.
    """

    intrinsics: Tensor
    """(C, 4) fx, fy, cx, cy in pixels."""
    T_camera_body: Tensor
    """(C, 4, 4)."""
    index: Tensor | None
    """(M,) int64: the camera of each point. None for one camera that is the body itself."""

    @classmethod
    def single(cls, intrinsics: Tensor) -> PointCameras:
        """One camera with (4,) that is the body, for any number of points."""
        identity = torch.eye(4, dtype=intrinsics.dtype).to(intrinsics)
        return cls(intrinsics[None], identity[None], None)

    @property
    def count(self) -> int:
        """How many cameras there are."""
        return len(self.intrinsics)

    def select(self, points: Tensor) -> PointCameras:
        """The cameras of some of the points (indices or mask)."""
        return self if self.index is None else replace(self, index=self.index[points])

    def double(self) -> PointCameras:
        """The same in double precision."""
        return PointCameras(self.intrinsics.double(), self.T_camera_body.double(), self.index)

    @cached_property
    def of_points(self) -> Tensor:
        """The intrinsics of each point's camera: (M, 4), or (4,) where there is one."""
        return self.intrinsics[0] if self.index is None else self.intrinsics[self.index]

    @cached_property
    def mounting(self) -> tuple[Tensor, Tensor]:
        """Rotation (M, 3, 3) and translation (M, 3) of T_camera_body, by point."""
        assert self.index is not None
        mounted = self.T_camera_body[self.index]
        return mounted[:, :3, :3], mounted[:, :3, 3]

    def from_body(self, in_body: Tensor) -> Tensor:
        """Points (..., M, 3) in the body's frame in the frame of the camera of each."""
        if self.index is None:
            return in_body
        rotation, translation = self.mounting
        return (rotation @ in_body[..., None])[..., 0] + translation

    def by_body(self, by_camera: Tensor) -> Tensor:
        """Derivatives (..., M, 2, 6) by a twist of the body, of those by one of each camera.

        Both twists stand on the left: T_camera_body exp(twist) = exp(Ad twist) T_camera_body.
        """
        return by_camera if self.index is None else by_camera @ self._adjoint

    @cached_property
    def _adjoint(self) -> Tensor:
        """Ad of T_camera_body by point, (M, 6, 6)."""
        rotation, translation = self.mounting
        upper = torch.cat([rotation, hat(translation) @ rotation], dim=-1)
        lower = torch.cat([torch.zeros_like(rotation), rotation], dim=-1)
        return torch.cat([upper, lower], dim=-2)


Cameras = Tensor | PointCameras
"""(4,) fx, fy, cx, cy of one camera that is the body, or what each point is to be seen by."""


def cameras_of(points: Tensor, cameras: Cameras) -> Cameras:
    """The cameras of some of the points (indices or mask)."""
    return cameras.select(points) if isinstance(cameras, PointCameras) else cameras


def cameras_by_point(cameras: Cameras) -> tuple[Tensor, Tensor | None, Tensor | None]:
    """Intrinsics (C, 4), T_camera_body (C, 4, 4), and each point's camera, (M,) int64.

    The latter two are None where one camera that is the body sees all points.
    """
    if not isinstance(cameras, PointCameras):
        return cameras[None], None, None
    if cameras.index is None:
        return cameras.intrinsics[:1], None, None
    return cameras.intrinsics, cameras.T_camera_body, cameras.index
