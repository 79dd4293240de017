"""Graduated non-convexity: poses refined on ever less smoothed loss maps (thesis 4.4.2)."""

from __future__ import annotations

import math
from functools import partial

import torch
from torch import Tensor

from dense_reloc_ros.geometry.projection import project, projection_jacobian
from dense_reloc_ros.geometry.rig import Cameras, cameras_by_point
from dense_reloc_ros.pose.compiled_gnc import (
    LEAST_CURVATURE,
    hessian_on_windows,
    refine_on_windows,
)
from dense_reloc_ros.pose.levenberg_marquardt import QuadraticModel, minimize
from dense_reloc_ros.pose.loss_maps import LossMaps, SparseLossMaps

DAMPING = 1e-3
REACH = 4.0
"""Distance in σ beyond which a cell's kernel (below 0.04 % of its peak) is left out."""


def sigma_schedule(first: float, last: float, steps: int) -> list[float]:
    """Geometrically decreasing σ in cells, as many as `steps`."""
    ratio = (last / first) ** (1 / max(steps - 1, 1))
    return [first * ratio**i for i in range(steps)]


def smoothed_cost(
    T_camera_map: Tensor, points: Tensor, intrinsics: Cameras, maps: SparseLossMaps, sigma: float
) -> QuadraticModel:
    """Eq. 4.9 at poses (B, 4, 4) of points (M, 3), with σ in cells of the maps.

    Every cell q with gain g pulls its point's projection p with -g k_σ(|q - p|). Seen by the
    projection, the curvature of all its cells is Σ g k_σ / σ² (I - (q - p) (q - p)ᵀ / σ²); where it
    is negative or small it is raised to a share of Σ g k_σ / σ², the weight that iterated
    reweighted least squares would take for it. That makes Newton's method of it: least squares
    steps go only part of the way where several cells share the mass. Lengths are in cells, so that
    the cost does not depend on the resolution. Points behind the camera take no part.
    """
    pixels, in_camera = project(T_camera_map, points, intrinsics)
    moments = _sum_by_point(_cell_moments(pixels, maps, sigma), maps).transpose(0, 1)
    weight, moment = moments[..., 0] / sigma**2, moments[..., 1:3] / sigma**2
    curvature = _curvature(weight, moments[..., 3:] / sigma**4)
    jacobian = (projection_jacobian(in_camera, intrinsics) / maps.stride).nan_to_num(0.0, 0.0, 0.0)
    jacobian = torch.where(weight[..., None, None] > 0, jacobian, torch.zeros_like(jacobian))
    rows = jacobian.flatten(1, 2)
    return QuadraticModel(
        cost=-moments[..., 0].sum(1),
        gradient=-(moment.flatten(1)[:, None] @ rows)[:, 0],
        hessian=rows.mT @ (curvature @ jacobian).flatten(1, 2),
    )


def smoothed_hessian(
    T_camera_map: Tensor, points: Tensor, intrinsics: Cameras, maps: LossMaps, sigma: float
) -> Tensor:
    """The Hessian (6, 6) of `smoothed_cost` at one pose (4, 4), float64."""
    if T_camera_map.device.type == "cpu":
        return hessian_on_windows(
            T_camera_map,
            points,
            *cameras_by_point(intrinsics),
            maps.gains,
            maps.origins,
            maps.stride,
            maps.offset,
            sigma,
        )
    cells, cameras = maps.double().sparse(), intrinsics.double()
    poses = T_camera_map[None].double()
    return smoothed_cost(poses, points.double(), cameras, cells, sigma).hessian[0]


def _cell_moments(pixels: Tensor, maps: SparseLossMaps, sigma: float) -> Tensor:
    """The pull g k of each cell (E, B, 6) times 1, x, y, x², xy, y² of its offset, in cells."""
    offset = (maps.pixels[:, None] - pixels.transpose(0, 1)[maps.point]) / maps.stride
    x, y = offset.unbind(-1)
    xx, yy = x.square(), y.square()
    kernel = torch.exp((xx + yy) / (-2 * sigma**2)) / (2 * math.pi * sigma**2)
    pull = maps.gains[:, None] * kernel
    pull_x, pull_y = pull * x, pull * y
    moments = torch.stack([pull, pull_x, pull_y, pull * xx, pull_x * y, pull * yy], dim=-1)
    return moments.nan_to_num_(0.0)


def _curvature(weight: Tensor, spread: Tensor) -> Tensor:
    """Curvatures (B, M, 2, 2): weight (B, M) on the diagonal less the spread (xx, xy, yy).

    Eigenvalues below LEAST_CURVATURE of the weight are raised to it.
    """
    xx, xy, yy = weight - spread[..., 0], -spread[..., 1], weight - spread[..., 2]
    mean = (xx + yy) / 2
    radius = torch.hypot((xx - yy) / 2, xy)
    least = LEAST_CURVATURE * weight
    high, low = (mean + radius).maximum(least), (mean - radius).maximum(least)
    # With the eigenvalues λ and the projector P on the first, H = λ₂ I + (λ₁ - λ₂) P.
    share = ((high - low) / (2 * radius)).nan_to_num(0.0, 0.0, 0.0)
    centre = (high + low) / 2
    xx, xy, yy = centre + share * (xx - mean), share * xy, centre + share * (yy - mean)
    return torch.stack([xx, xy, xy, yy], dim=-1).unflatten(-1, (2, 2))


def _sum_by_point(values: Tensor, maps: SparseLossMaps) -> Tensor:
    """Sums (M, ...) of values (E, ...) of the cells of each point."""
    if not maps.point_count or not len(values):
        return values.new_zeros(maps.point_count, *values.shape[1:])
    return torch.segment_reduce(values, "sum", lengths=maps.counts, axis=0)


def refine(
    T_camera_map: Tensor,
    points: Tensor,
    intrinsics: Cameras,
    maps: LossMaps,
    sigmas: list[float],
    iterations: int,
    tolerance: float = 1e-3,
    least_share: float = 0.0,
) -> Tensor:
    """Poses (B, 4, 4) at the end of the sequence of smoothed problems.

    Cells that gain no more than `least_share` of the most that a map can gain take no part. Each
    problem is minimized by Newton's method with Levenberg's damping on SE(3), at most
    `iterations` steps. It ends when no pose lowers its cost by more than the share `tolerance`, the
    relative decrease criterion of Zach and Bourmaud (ECCV 2018).
    """
    if T_camera_map.device.type == "cpu":
        return refine_on_windows(
            T_camera_map,
            points,
            *cameras_by_point(intrinsics),
            maps.gains,
            maps.origins,
            maps.stride,
            maps.offset,
            least_share * maps.outlier_loss,
            sigmas,
            REACH,
            iterations,
            DAMPING,
            tolerance,
        )
    cells = maps.sparse(least_share)
    return refine_on_cells(T_camera_map, points, intrinsics, cells, sigmas, iterations, tolerance)


def refine_on_cells(
    T_camera_map: Tensor,
    points: Tensor,
    intrinsics: Cameras,
    maps: SparseLossMaps,
    sigmas: list[float],
    iterations: int,
    tolerance: float,
) -> Tensor:
    """`refine` on any device, by tensors alone."""
    poses = T_camera_map
    for sigma in sigmas:
        # Cells further away than this weigh nothing, and moving there would take many steps.
        pixels, _ = project(poses, points, intrinsics)
        near = maps.near(pixels, (REACH * sigma + 1) * maps.stride)
        model_at = partial(
            smoothed_cost, points=points, intrinsics=intrinsics, maps=near, sigma=sigma
        )
        poses = minimize(poses, model_at, iterations, DAMPING, tolerance)
    return poses
