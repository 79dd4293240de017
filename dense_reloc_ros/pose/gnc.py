"""Graduated non-convexity: poses refined on ever less smoothed loss maps (thesis 4.4.2)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from dense_reloc_ros.geometry.projection import project, projection_jacobian
from dense_reloc_ros.geometry.se3 import exp
from dense_reloc_ros.pose.loss_maps import SparseLossMaps

STUCK_DAMPING = 10.0
"""A step that fails at this damping is so short that the pose counts as converged."""


REACH = 4.0
"""Distance in σ beyond which a cell's kernel (below 0.04 % of its peak) is left out."""


@dataclass(frozen=True)
class SmoothedCost:
    """The smoothed cost (B,) of eq. 4.9 and its Gauss-Newton approximation at B poses."""

    cost: Tensor
    gradient: Tensor
    """(B, 6), with respect to a twist on the left of T_camera_map."""
    hessian: Tensor
    """(B, 6, 6), of iterated reweighted least squares."""


def sigma_schedule(first: float, last: float, steps: int) -> list[float]:
    """Geometrically decreasing σ in cells, as many as `steps`."""
    ratio = (last / first) ** (1 / max(steps - 1, 1))
    return [first * ratio**i for i in range(steps)]


def smoothed_cost(
    T_camera_map: Tensor, points: Tensor, intrinsics: Tensor, maps: SparseLossMaps, sigma: float
) -> SmoothedCost:
    """Eq. 4.9 at poses (B, 4, 4) of points (M, 3), with σ in cells of the maps.

    Every cell q with gain g pulls its point's projection p with -g k_σ(|q - p|), a robust least
    squares term of weight g k_σ / σ². Lengths are in cells, so that the cost does not depend on
    the resolution. Points behind the camera take no part.
    """
    pixels, in_camera = project(T_camera_map, points, intrinsics)
    residual = (maps.pixels[:, None] - pixels.transpose(0, 1)[maps.point]) / maps.stride
    kernel = torch.exp(residual.square().sum(-1) / (-2 * sigma**2)) / (2 * math.pi * sigma**2)
    pull = (maps.gains[:, None] * kernel).nan_to_num(0.0)
    residual = residual.nan_to_num(0.0)
    weighted = torch.cat([pull[..., None], pull[..., None] * residual], dim=-1)
    sums = _sum_by_point(weighted, maps).transpose(0, 1)
    weight, moment = sums[..., 0] / sigma**2, sums[..., 1:] / sigma**2
    jacobian = (projection_jacobian(in_camera, intrinsics) / maps.stride).nan_to_num(0.0, 0.0, 0.0)
    jacobian = torch.where(weight[..., None, None] > 0, jacobian, torch.zeros_like(jacobian))
    return SmoothedCost(
        cost=-pull.sum(0),
        gradient=-torch.einsum("bmij,bmi->bj", jacobian, moment),
        hessian=torch.einsum("bm,bmij,bmik->bjk", weight, jacobian, jacobian),
    )


def _sum_by_point(values: Tensor, maps: SparseLossMaps) -> Tensor:
    """Sums (M, ...) of values (E, ...) of the cells of each point."""
    if not maps.point_count or not len(values):
        return values.new_zeros(maps.point_count, *values.shape[1:])
    return torch.segment_reduce(values, "sum", lengths=maps.counts, axis=0)


def refine(
    T_camera_map: Tensor,
    points: Tensor,
    intrinsics: Tensor,
    maps: SparseLossMaps,
    sigmas: list[float],
    iterations: int,
    tolerance: float = 1e-3,
) -> Tensor:
    """Poses (B, 4, 4) at the end of the sequence of smoothed problems.

    Each problem is minimized by IRLS with Levenberg's damping on SE(3), at most `iterations` steps.
    It ends when no pose lowers its cost by more than the share `tolerance`, the relative decrease
    criterion of Zach and Bourmaud (ECCV 2018).
    """
    poses = T_camera_map
    for sigma in sigmas:
        # Cells further away than this weigh nothing, and moving there would take many steps.
        pixels, _ = project(poses, points, intrinsics)
        maps = maps.near(pixels, (REACH * sigma + 1) * maps.stride)
        damping = poses.new_full((poses.shape[0],), 1e-3)
        current = smoothed_cost(poses, points, intrinsics, maps, sigma)
        for _ in range(iterations):
            trial = exp(_damped_step(current, damping)) @ poses
            moved = smoothed_cost(trial, points, intrinsics, maps, sigma)
            better = moved.cost < current.cost
            decrease = (current.cost - moved.cost) / moved.cost.abs().clamp(min=1e-12)
            poses = torch.where(better[:, None, None], trial, poses)
            current = SmoothedCost(
                torch.where(better, moved.cost, current.cost),
                torch.where(better[:, None], moved.gradient, current.gradient),
                torch.where(better[:, None, None], moved.hessian, current.hessian),
            )
            converged = torch.where(better, decrease < tolerance, damping >= STUCK_DAMPING)
            damping = (damping * torch.where(better, 0.1, 10.0)).clamp(min=1e-6)
            if bool(converged.all()):
                break
    return poses


def _damped_step(problem: SmoothedCost, damping: Tensor) -> Tensor:
    """Twists (B, 6) of one Levenberg-Marquardt step; zero where the problem has no curvature."""
    diagonal = problem.hessian.diagonal(dim1=-2, dim2=-1)
    floor = 1e-9 * diagonal.amax(-1, keepdim=True) + 1e-12
    damped = problem.hessian + torch.diag_embed(damping[:, None] * diagonal + floor)
    step, _ = torch.linalg.solve_ex(damped, -problem.gradient[..., None])
    return step[..., 0].nan_to_num(0.0, 0.0, 0.0)
