"""Levenberg-Marquardt on costs whose minima are known."""

from __future__ import annotations

import torch
from torch import Tensor

from dense_reloc_ros.geometry.se3 import exp
from dense_reloc_ros.pose.levenberg_marquardt import QuadraticModel, minimize

POINTS = torch.rand(20, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64) * 4 - 2
TARGET = exp(torch.tensor([0.3, -0.2, 0.5, 0.4, -0.1, 0.3], dtype=torch.float64))
STARTS = exp(
    torch.randn(5, 6, generator=torch.Generator().manual_seed(1), dtype=torch.float64) * 0.3
)


def alignment(poses: Tensor) -> QuadraticModel:
    """The squared distances of moved points from where the target moves them."""
    moved = POINTS @ poses[:, :3, :3].mT + poses[:, None, :3, 3]
    residual = moved - (POINTS @ TARGET[:3, :3].T + TARGET[:3, 3])
    x, y, z = moved.unbind(-1)
    zero, one = torch.zeros_like(x), torch.ones_like(x)
    rows = [
        one,
        zero,
        zero,
        zero,
        z,
        -y,
        zero,
        one,
        zero,
        -z,
        zero,
        x,
        zero,
        zero,
        one,
        y,
        -x,
        zero,
    ]
    jacobian = torch.stack(rows, dim=-1).unflatten(-1, (3, 6))
    return QuadraticModel(
        residual.square().sum((1, 2)),
        2 * torch.einsum("bmij,bmi->bj", jacobian, residual),
        2 * torch.einsum("bmij,bmik->bjk", jacobian, jacobian),
    )


def test_all_poses_reach_the_minimum():
    poses = minimize(STARTS, alignment, iterations=30, damping=1e-2, tolerance=1e-9)
    torch.testing.assert_close(poses, TARGET.expand(5, 4, 4), atol=1e-6, rtol=0)


def test_the_unit_of_length_does_not_matter():
    unit = 1e4
    by_twist = torch.tensor([1 / unit] * 3 + [1.0] * 3, dtype=torch.float64)

    def scaled(poses: Tensor, factor: float) -> Tensor:
        translation = torch.tensor([factor] * 3 + [1.0], dtype=torch.float64)
        return torch.cat([poses[..., :3], poses[..., 3:] * translation[:, None]], dim=-1)

    def model_at(poses: Tensor) -> QuadraticModel:
        model = alignment(scaled(poses, 1 / unit))
        hessian = model.hessian * by_twist[:, None] * by_twist
        return QuadraticModel(model.cost, model.gradient * by_twist, hessian)

    expected = minimize(STARTS, alignment, iterations=3, damping=1e-2, tolerance=0.0)
    found = minimize(scaled(STARTS, unit), model_at, iterations=3, damping=1e-2, tolerance=0.0)
    torch.testing.assert_close(scaled(found, 1 / unit), expected, atol=1e-9, rtol=0)


def test_poses_of_a_batch_do_not_see_each_other():
    together = minimize(STARTS, alignment, iterations=3, damping=1.0, tolerance=0.0)
    for pose, start in zip(together, STARTS, strict=True):
        alone = minimize(start[None], alignment, iterations=3, damping=1.0, tolerance=0.0)
        torch.testing.assert_close(alone[0], pose)


def test_steps_that_raise_the_cost_are_not_taken():
    def misleading(poses: Tensor) -> QuadraticModel:
        model = alignment(poses)
        return QuadraticModel(model.cost, -model.gradient, model.hessian)

    assert torch.equal(minimize(STARTS, misleading, 50, damping=1e-3, tolerance=1e-6), STARTS)


def test_overlong_steps_are_damped_until_they_succeed():
    def rash(poses: Tensor) -> QuadraticModel:
        model = alignment(poses)
        return QuadraticModel(model.cost, model.gradient, model.hessian / 50)

    costs = [alignment(STARTS).cost]
    for iterations in (5, 10, 60):
        poses = minimize(STARTS, rash, iterations, damping=1e-3, tolerance=0.0)
        costs.append(alignment(poses).cost)
        assert (costs[-1] <= costs[-2]).all()
    assert (costs[-1] < 1e-4 * costs[0]).all()


def test_without_curvature_poses_stay():
    def flat(poses: Tensor) -> QuadraticModel:
        zero = poses.new_zeros(len(poses))
        return QuadraticModel(
            zero, poses.new_zeros(len(poses), 6), poses.new_zeros(len(poses), 6, 6)
        )

    assert torch.equal(minimize(STARTS, flat, 10, damping=1e-3, tolerance=1e-6), STARTS)


def test_poses_stay_where_little_is_gained():
    def slow(poses: Tensor) -> QuadraticModel:
        model = alignment(poses)
        return QuadraticModel(model.cost, model.gradient / 5, model.hessian)

    few, many = (minimize(STARTS, slow, steps, 1e-2, tolerance=0.4) for steps in (20, 40))
    assert torch.equal(few, many)
    further = minimize(STARTS, slow, 20, 1e-2, tolerance=0.0)
    assert (alignment(few).cost > 10 * alignment(further).cost).any()
