"""How sure a pose is: the inverse Gauss-Newton Hessian of the smoothed cost at the optimum."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from dense_reloc_ros.pose.gnc import smoothed_cost
from dense_reloc_ros.pose.loss_maps import SparseLossMaps


def pose_covariance(
    T_camera_map: Tensor, points: Tensor, intrinsics: Tensor, maps: SparseLossMaps, sigma: float
) -> Tensor:
    """Covariance (6, 6) of T_map_camera at a pose T_camera_map (4, 4), float64.

    In ROS order (x, y, z, rotX, rotY, rotZ) about the fixed axes of the map frame. The kernel is
    scaled to 1 at its centre, so that a map with all its gain g in one cell counts as g
    observations with a deviation of σ cells. This is right up to the one factor for correlated
    neighbours, systematic errors of the map and so on, which a map's calibration holds.
    """
    double = SparseLossMaps(
        maps.point, maps.pixels.double(), maps.gains.double(), maps.point_count, maps.stride
    )
    problem = smoothed_cost(
        T_camera_map[None].double(), points.double(), intrinsics.double(), double, sigma
    )
    information = problem.hessian[0] * (2 * math.pi * sigma**2)
    weakest = 1e-12 * information.diagonal().amax().clamp(min=1e-6)
    identity = torch.eye(6, dtype=information.dtype, device=information.device)
    covariance = torch.linalg.inv(information + weakest * identity)
    return to_map_axes(covariance, T_camera_map.double())


def to_map_axes(covariance: Tensor, T_camera_map: Tensor) -> Tensor:
    """A covariance of left twists of T_camera_map as one of T_map_camera in the map's axes.

    exp(ξ) on the left of T_camera_map moves the camera by -R ρ and turns it by -R φ about the
    axes of the map, with R the rotation of T_map_camera.
    """
    rotation = T_camera_map[:3, :3].T
    transport = torch.block_diag(rotation, rotation)
    return transport @ covariance @ transport.T
