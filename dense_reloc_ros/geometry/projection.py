"""Pinhole projection and its derivative with respect to the camera pose, batched over poses."""

from __future__ import annotations

import torch
from torch import Tensor

from dense_reloc_ros.geometry.camera import MINIMUM_DEPTH
from dense_reloc_ros.geometry.rig import Cameras, PointCameras
from dense_reloc_ros.geometry.se3 import hat


def project(T_camera_map: Tensor, points: Tensor, intrinsics: Cameras) -> tuple[Tensor, Tensor]:
    """The warping function of thesis 4.2: pixels of points seen by cameras.

    Args:
        T_camera_map: (..., 4, 4); T_body_map where points are seen by the cameras of a rig.
        points: (M, 3), or (..., M, 3) with other ones for each camera, in the map frame, metres.
        intrinsics: fx, fy, cx, cy in pixels: (4,), or (..., 1, 4) with those of each camera; or
            the cameras of a rig.

    Returns:
        Pixels (..., M, 2) and points in the camera frame (..., M, 3). Pixels of points that are not
        in front of the camera are nan.
    """
    in_camera = points @ T_camera_map[..., :3, :3].mT + T_camera_map[..., None, :3, 3]
    if isinstance(intrinsics, PointCameras):
        in_camera = intrinsics.from_body(in_camera)
        return to_pixels(in_camera, intrinsics.of_points), in_camera
    return to_pixels(in_camera, intrinsics), in_camera


def to_pixels(in_camera: Tensor, intrinsics: Tensor) -> Tensor:
    """Pixels (..., 2) of points in the camera frame (..., 3); nan where not in front of it."""
    depth = in_camera[..., 2:]
    safe = torch.where(depth > MINIMUM_DEPTH, depth, torch.nan)
    return in_camera[..., :2] / safe * intrinsics[..., :2] + intrinsics[..., 2:]


def to_bearings(pixels: Tensor, intrinsics: Tensor) -> Tensor:
    """Unit viewing directions (..., 3) in the camera frame of pixels (..., 2).

    `intrinsics` are (4,) for all, or (..., 4).
    """
    plane = (pixels - intrinsics[..., 2:]) / intrinsics[..., :2]
    rays = torch.cat([plane, torch.ones_like(plane[..., :1])], dim=-1)
    return torch.nn.functional.normalize(rays, dim=-1)


def projection_jacobian(in_camera: Tensor, intrinsics: Cameras) -> Tensor:
    """Derivative (..., 2, 6) of a point's pixel by a twist that moves the camera frame.

    The motion is T_camera_map <- exp(twist) T_camera_map, twist = (translation, rotation). For the
    cameras of a rig it is the body that moves.
    """
    if isinstance(intrinsics, PointCameras):
        return intrinsics.by_body(projection_jacobian(in_camera, intrinsics.of_points))
    x, y, z = in_camera.unbind(-1)
    fx, fy = intrinsics[..., 0], intrinsics[..., 1]
    zero = torch.zeros_like(x)
    by_point = torch.stack(
        [
            torch.stack([fx / z, zero, -fx * x / z**2], dim=-1),
            torch.stack([zero, fy / z, -fy * y / z**2], dim=-1),
        ],
        dim=-2,
    )
    return torch.cat([by_point, -by_point @ hat(in_camera)], dim=-1)
