"""Levenberg-Marquardt on SE(3), for several poses at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from dense_reloc_ros.geometry.se3 import exp

DAMPING_FACTOR = 10.0
"""Between a step that succeeds and one that fails."""
SMALLEST_DAMPING = 1e-6
STUCK_DAMPING = 1e4
"""A step that fails at this damping is so short that the pose counts as converged."""


@dataclass(frozen=True)
class QuadraticModel:
    """A cost (B,) and its approximation by a convex quadratic at B poses.

    For a twist on the left, T_camera_map <- exp(twist) T_camera_map.
    """

    cost: Tensor
    gradient: Tensor
    """(B, 6)."""
    hessian: Tensor
    """(B, 6, 6)."""

    def where(self, chosen: Tensor, other: QuadraticModel) -> QuadraticModel:
        """This one for the chosen (B,) poses, the other for the rest."""
        return QuadraticModel(
            torch.where(chosen, self.cost, other.cost),
            torch.where(chosen[:, None], self.gradient, other.gradient),
            torch.where(chosen[:, None, None], self.hessian, other.hessian),
        )


def minimize(
    T_camera_map: Tensor,
    model_at: Callable[[Tensor], QuadraticModel],
    iterations: int,
    damping: float,
    tolerance: float,
) -> Tensor:
    """Poses (B, 4, 4) of lower cost near the given ones, after at most `iterations` steps.

    Only steps that lower the cost are taken. A pose stays where one lowers its cost by no more than
    the share `tolerance`; all steps are computed all the same, so that no value decides what is.
    """
    poses, current = T_camera_map, model_at(T_camera_map)
    dampings = poses.new_full((len(poses),), damping)
    converged = torch.zeros_like(dampings, dtype=torch.bool)
    for _ in range(iterations):
        trial = exp(_damped_step(current, dampings)) @ poses
        moved = model_at(trial)
        better = (moved.cost < current.cost) & ~converged
        decrease = (current.cost - moved.cost) / current.cost.abs().clamp(min=1e-12)
        converged |= torch.where(better, decrease < tolerance, dampings >= STUCK_DAMPING)
        poses = torch.where(better[:, None, None], trial, poses)
        current = moved.where(better, current)
        factor = torch.where(better, 1 / DAMPING_FACTOR, DAMPING_FACTOR)
        dampings = (dampings * factor).clamp(min=SMALLEST_DAMPING)
    return poses


def _damped_step(model: QuadraticModel, damping: Tensor) -> Tensor:
    """Twists (B, 6) of one step; zero where the model has no curvature.

    Solved with a Hessian of unit diagonal, so that the unit of length does not matter.
    """
    diagonal = model.hessian.diagonal(dim1=-2, dim2=-1)
    scale = torch.where(diagonal > 0, diagonal.rsqrt(), torch.zeros_like(diagonal))
    damped = model.hessian * scale[:, :, None] * scale[:, None]
    damped = damped + torch.diag_embed(damping[:, None].expand_as(diagonal))
    step, _ = torch.linalg.solve_ex(damped, -(scale * model.gradient)[..., None])
    return (scale * step[..., 0]).nan_to_num(0.0, 0.0, 0.0)
