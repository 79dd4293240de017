"""How sure a pose is: the inverse Gauss-Newton Hessian of the smoothed cost at the optimum."""

from __future__ import annotations

import math
from dataclasses import replace

import torch
from torch import Tensor

from dense_reloc_ros.geometry.rig import Cameras, PointCameras
from dense_reloc_ros.pose.gnc import smoothed_hessian
from dense_reloc_ros.pose.loss_maps import LossMaps

CORRELATION = 10.0
"""What the variance of one frame's pose is larger by than if all points erred independently, where
they support it everywhere in the image and a keyframe has the same view; of held-out views."""
LEAST_SPREAD = 1 / 48
"""One cell of the grid that the spread is counted in."""


def pose_covariance(
    T_camera_map: Tensor,
    points: Tensor,
    intrinsics: Cameras,
    maps: LossMaps,
    sigma: float,
    inflations: Tensor | float = 1.0,
) -> Tensor:
    """Covariance (6, 6) of T_map_camera at a pose T_camera_map (4, 4), float64.

    In ROS order (x, y, z, rotX, rotY, rotZ) about the fixed axes of the map frame. The kernel is
    scaled to 1 at its centre, so that a map with all its gain g in one cell counts as g
    observations with a deviation of σ cells. Neighbours err alike, and so do the points of a map:
    `inflations` say by how much that makes it larger, of all points (see `inflation`) or of each
    (M,), where they are of several images.
    """
    common = 1.0
    if isinstance(inflations, Tensor):
        maps = replace(maps, gains=maps.gains / inflations[:, None, None])
    else:
        common = inflations
    information = _information(T_camera_map, points, intrinsics, maps, sigma)
    return to_map_axes(common * _inverse(information), T_camera_map.double())


def shares_of_cameras(
    T_body_map: Tensor,
    points: Tensor,
    cameras: PointCameras,
    maps: LossMaps,
    sigma: float,
    inflations: Tensor,
) -> Tensor:
    """What the pose T_body_map (4, 4) of a rig has of that by each of its C cameras alone.

    (C, 6, 6), float64, about the fixed axes of the map: errors of the poses by single cameras come
    into that by all with these weights, which sum up to one. A camera has much of what it tells
    more about than the others. Arguments as of `pose_covariance`.
    """
    assert cameras.index is not None
    maps = replace(maps, gains=maps.gains / inflations[:, None, None])
    of_cameras = []
    for camera in range(cameras.count):
        own = (cameras.index == camera).nonzero()[:, 0]
        seen = cameras.select(own)
        of_cameras.append(_information(T_body_map, points[own], seen, maps.select(own), sigma))
    informations = torch.stack(of_cameras)
    shares = _inverse(informations.sum(0)) @ informations
    return torch.stack([to_map_axes(share, T_body_map.double()) for share in shares])


def _information(
    T_camera_map: Tensor, points: Tensor, intrinsics: Cameras, maps: LossMaps, sigma: float
) -> Tensor:
    """The information (6, 6) of independent points about T_camera_map."""
    hessian = smoothed_hessian(T_camera_map, points, intrinsics, maps, sigma)
    return hessian * (2 * math.pi * sigma**2)


def _inverse(information: Tensor) -> Tensor:
    weakest = 1e-12 * information.diagonal().amax().clamp(min=1e-6)
    return torch.linalg.inv(information + weakest * torch.eye(6).to(information))


def inflation(spread: float, view_change: float) -> float:
    """The factor on the covariance of independent points for errors that they share.

    Points in one place err alike, so that the share `spread` of the image in which they lie counts,
    not their number. The errors of their places in the map show in an image as far as its view
    differs from the keyframes' (`view_change`, see `PoseEvidence`): where it is the same, an error
    in depth moves no pixel.
    """
    return CORRELATION * (1 + view_change**2) / max(spread, LEAST_SPREAD)


def to_map_axes(covariance: Tensor, T_camera_map: Tensor) -> Tensor:
    """A covariance (6, 6) of left twists of T_camera_map as one of T_map_camera in the map's axes.

    Or what else takes such twists to such twists.

    exp(ξ) on the left of T_camera_map moves the camera by -R ρ and turns it by -R φ about the
    axes of the map, with R the rotation of T_map_camera.
    """
    rotation = T_camera_map[:3, :3].T
    transport = torch.block_diag(rotation, rotation)
    return transport @ covariance @ transport.T
