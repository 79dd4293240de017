"""Graduated non-convexity: poses refined on ever less smoothed loss maps (thesis 4.4.2)."""

from __future__ import annotations

import math
from dataclasses import replace
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
from dense_reloc_ros.pose.loss_maps import LossMaps

DAMPING = 1e-3
REACH = 4.0
"""Distance in σ beyond which a cell's kernel (below 0.04 % of its peak) is left out."""


def sigma_schedule(first: float, last: float, steps: int) -> list[float]:
    """Geometrically decreasing σ in cells, as many as `steps`."""
    ratio = (last / first) ** (1 / max(steps - 1, 1))
    return [first * ratio**i for i in range(steps)]


def smoothed_cost(
    T_camera_map: Tensor, points: Tensor, intrinsics: Cameras, maps: LossMaps, sigma: float
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
    moments = _moments(maps.gains, maps.cells(pixels), sigma)
    pull, weight = moments[..., 0, 0], moments[..., 0, 0] / sigma**2
    moment = torch.stack([moments[..., 1, 0], moments[..., 0, 1]], dim=-1) / sigma**2
    spread = [moments[..., 2, 0], moments[..., 1, 1], moments[..., 0, 2]]
    curvature = _curvature(weight, torch.stack(spread, dim=-1) / sigma**4)
    jacobian = (projection_jacobian(in_camera, intrinsics) / maps.stride).nan_to_num(0.0, 0.0, 0.0)
    jacobian = torch.where(weight[..., None, None] > 0, jacobian, torch.zeros_like(jacobian))
    rows = jacobian.flatten(1, 2)
    return QuadraticModel(
        cost=-pull.sum(1),
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
            maps.stride,
            maps.offset,
            maps.gains,
            maps.origins,
            sigma,
        )
    return hessian_by_tensors(T_camera_map, points, intrinsics, maps, sigma)


def hessian_by_tensors(
    T_camera_map: Tensor, points: Tensor, intrinsics: Cameras, maps: LossMaps, sigma: float
) -> Tensor:
    """`smoothed_hessian` on any device."""
    poses = T_camera_map[None].double()
    problem = (poses, points.double(), intrinsics.double(), maps.double())
    return smoothed_cost(*problem, sigma).hessian[0]


def _moments(gains: Tensor, cells: Tensor, sigma: float) -> Tensor:
    """The pulls of all cells of windows (M, h, w) on projections (B, M, 2) into them, in cells.

    (B, M, 3, 3): the sums of g k x^i y^j, with x and y from the projection to the cell. As the
    kernel is a product of one of columns and one of rows, they are two products of matrices.
    """
    powers = torch.arange(3, device=cells.device)

    def kernels(axis: int, size: int) -> Tensor:
        """exp(-x² / 2σ²) times 1, x and x²: (B, M, size, 3); zero behind the camera."""
        offset = torch.arange(size, device=cells.device) - cells[..., axis, None]
        kernel = torch.exp(offset.square() / (-2 * sigma**2))
        return (kernel[..., None] * offset[..., None] ** powers).nan_to_num(0.0, 0.0, 0.0)

    height, width = gains.shape[1:]
    columns, rows = kernels(0, width).to(gains), kernels(1, height).to(gains)
    in_rows = torch.einsum("mji,bmip->bmjp", gains, columns)
    return (in_rows.mT @ rows).to(cells) / (2 * math.pi * sigma**2)


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
            maps.stride,
            maps.offset,
            maps.gains,
            maps.origins,
            least_share * maps.outlier_loss,
            sigmas,
            REACH,
            iterations,
            DAMPING,
            tolerance,
        )
    return refine_by_tensors(
        T_camera_map, points, intrinsics, maps, sigmas, iterations, tolerance, least_share
    )


def refine_by_tensors(
    T_camera_map: Tensor,
    points: Tensor,
    intrinsics: Cameras,
    maps: LossMaps,
    sigmas: list[float],
    iterations: int,
    tolerance: float = 1e-3,
    least_share: float = 0.0,
) -> Tensor:
    """`refine` on any device, by tensors alone, none of which decides what is computed."""
    maps = replace(maps, gains=maps.gains * (maps.gains > least_share * maps.outlier_loss))
    poses = T_camera_map
    for sigma in sigmas:
        # Cells further away than this weigh nothing, and moving there would take many steps.
        pixels, _ = project(poses, points, intrinsics)
        near = _near(maps, maps.cells(pixels), REACH * sigma + 1)
        model_at = partial(
            smoothed_cost, points=points, intrinsics=intrinsics, maps=near, sigma=sigma
        )
        poses = minimize(poses, model_at, iterations, DAMPING, tolerance)
    return poses


def _near(maps: LossMaps, cells: Tensor, radius: float) -> LossMaps:
    """The maps with only what they gain within some cells of projections (B, M, 2) into them."""
    low = cells.nan_to_num(torch.inf, torch.inf, torch.inf).amin(0)[..., None] - radius
    high = cells.nan_to_num(-torch.inf, -torch.inf, -torch.inf).amax(0)[..., None] + radius
    height, width = maps.gains.shape[1:]
    grid = torch.arange(max(height, width), device=cells.device)
    inside = (grid >= low) & (grid <= high)
    within = inside[:, 1, :height, None] & inside[:, 0, None, :width]
    return replace(maps, gains=maps.gains * within)
