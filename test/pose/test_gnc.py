"""The smoothed cost against its definition, and what minimizing it finds."""

from __future__ import annotations

import math
from functools import partial

import numpy as np
import pytest
import torch
from pose.synthetic import INTRINSICS, View, problem_of, random_view, with_outliers
from pose.test_loss_maps import OFFSET, STRIDE, random_maps
from scipy.ndimage import gaussian_filter
from torch import Tensor

from dense_reloc_ros.pose.gnc import (
    LEAST_CURVATURE,
    hessian_by_tensors,
    refine,
    refine_by_tensors,
    sigma_schedule,
    smoothed_cost,
    smoothed_hessian,
)
from dense_reloc_ros.pose.loss_maps import LossMaps

SMALL = torch.tensor([50.0, 52.0, 27.0, 23.0], dtype=torch.float64)
"""Intrinsics of an image of 7 x 6 cells."""
SIGMAS = [0.6, 1.0, 2.0, 4.0]


def points_in_front(count: int, seed: int = 0) -> Tensor:
    rng = np.random.default_rng(seed)
    return torch.from_numpy(rng.uniform([-1, -0.9, 2], [1, 0.9, 4], (count, 3)))


def cost_by_definition(
    T_camera_map: Tensor, points: Tensor, intrinsics: Tensor, maps: LossMaps, sigma: float
) -> Tensor:
    """Eq. 4.9, cell by cell, of one pose (4, 4)."""
    total = torch.zeros((), dtype=torch.float64)
    for number, point in enumerate(points):
        x, y, z = T_camera_map[:3, :3] @ point + T_camera_map[:3, 3]
        if z <= 0:
            continue
        projection = torch.stack([x / z, y / z]) * intrinsics[:2] + intrinsics[2:]
        for row, column in maps.gains[number].nonzero().tolist():
            cell = maps.origins[number] + torch.tensor([column, row])
            distance = (cell * maps.stride + maps.offset - projection) / maps.stride
            kernel = torch.exp(-distance @ distance / (2 * sigma**2)) / (2 * math.pi * sigma**2)
            total = total - maps.gains[number, row, column] * kernel
    return total


def twisted(twist: Tensor, pose: Tensor) -> Tensor:
    x, y, z, a, b, c = twist.unbind()
    zero = torch.zeros_like(x)
    rows = [zero, -c, b, x, c, zero, -a, y, -b, a, zero, z, zero, zero, zero, zero]
    return torch.linalg.matrix_exp(torch.stack(rows).reshape(4, 4)) @ pose


def nearby_poses(count: int) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    twists = 0.05 * torch.randn(count, 6, dtype=torch.float64, generator=generator)
    return torch.stack([twisted(twist, torch.eye(4, dtype=torch.float64)) for twist in twists])


@pytest.mark.parametrize("sigma", SIGMAS)
def test_cost_and_gradient_are_those_of_the_definition(sigma):
    maps = random_maps(5, torch.tensor([[0, 0], [-1, 1], [0, 0], [2, 0], [0, 0]]))
    maps.gains[2] = 0.0
    points = points_in_front(5)
    points[4, 2] = -3.0
    poses = nearby_poses(3)
    found = smoothed_cost(poses, points, SMALL, maps, sigma)
    for number, pose in enumerate(poses):
        twist = torch.zeros(6, dtype=torch.float64, requires_grad=True)
        expected = cost_by_definition(twisted(twist, pose), points, SMALL, maps, sigma)
        expected.backward()
        assert expected < 0
        torch.testing.assert_close(found.cost[number], expected.detach())
        torch.testing.assert_close(found.gradient[number], twist.grad)


def test_the_approximation_takes_the_curvature_of_each_point_made_positive():
    """Jᵀ H J with H the second derivative of a point's cost by its pixel, eigenvalues raised."""
    maps, points, sigma = random_maps(6), points_in_front(6), 1.3
    (pose,) = nearby_poses(1)
    rows, columns = torch.meshgrid(torch.arange(6), torch.arange(7), indexing="ij")
    cells = torch.stack([columns, rows], dim=-1) + OFFSET / STRIDE

    def project_points(twist: Tensor) -> Tensor:
        local = points @ twisted(twist, pose)[:3, :3].T + twisted(twist, pose)[:3, 3]
        return (local[:, :2] / local[:, 2:] * SMALL[:2] + SMALL[2:]) / STRIDE

    def cost_of(point: int, pixel: Tensor) -> Tensor:
        squared = (cells - pixel).square().sum(-1)
        kernel = torch.exp(-squared / (2 * sigma**2)) / (2 * math.pi * sigma**2)
        return -(maps.gains[point] * kernel).sum()

    still = torch.zeros(6, dtype=torch.float64)
    pixels = project_points(still)
    jacobian = torch.autograd.functional.jacobian(project_points, still)
    expected, raised = torch.zeros(6, 6, dtype=torch.float64), 0
    for point, pixel in enumerate(pixels):
        hessian = torch.autograd.functional.hessian(partial(cost_of, point), pixel)
        least = -LEAST_CURVATURE * cost_of(point, pixel) / sigma**2
        values, vectors = torch.linalg.eigh(hessian)
        raised += int((values < least).sum())
        positive = vectors @ torch.diag(values.maximum(least)) @ vectors.T
        expected += jacobian[point].T @ positive @ jacobian[point]
    assert 0 < raised < 12
    found = smoothed_cost(pose[None], points, SMALL, maps, sigma)
    torch.testing.assert_close(found.hessian[0], expected)


def poses_on_cells(maps: LossMaps) -> tuple[Tensor, Tensor]:
    """A point (1, 3) and poses (h * w, 4, 4) that put it onto each cell's centre, row by row."""
    height, width = maps.gains.shape[1:]
    rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    pixels = torch.stack([columns, rows], dim=-1).double().flatten(0, 1) * STRIDE + OFFSET
    poses = torch.eye(4, dtype=torch.float64).repeat(len(pixels), 1, 1)
    poses[:, :2, 3] = 3.0 * (pixels - SMALL[2:]) / SMALL[:2]
    return torch.tensor([[0.0, 0.0, 3.0]], dtype=torch.float64), poses


@pytest.mark.parametrize("sigma", [1.0, 1.7, 3.0])
def test_the_cost_is_the_loss_map_smoothed_by_a_gaussian_up_to_a_constant(sigma):
    maps = random_maps(1)
    point, poses = poses_on_cells(maps)
    losses = maps.outlier_loss - maps.gains[0].numpy()
    # Outside of the map, the loss is that of an outlier (eq. B.1).
    smoothed = gaussian_filter(losses, sigma, mode="constant", cval=maps.outlier_loss, truncate=8.0)
    found = smoothed_cost(poses, point, SMALL, maps, sigma).cost
    expected = smoothed - maps.outlier_loss
    np.testing.assert_allclose(found.numpy(), expected.ravel(), atol=1e-6)


def test_the_cost_tends_to_the_loss_itself():
    maps = random_maps(1)
    point, poses = poses_on_cells(maps)
    sigma = 0.1
    found = smoothed_cost(poses, point, SMALL, maps, sigma).cost
    peak = 1 / (2 * math.pi * sigma**2)
    np.testing.assert_allclose(found.numpy() / peak, -maps.gains[0].flatten().numpy(), atol=1e-6)


def test_the_schedule_falls_by_the_same_ratio():
    sigmas = sigma_schedule(8.0, 0.5, 5)
    np.testing.assert_allclose(sigmas, [8, 4, 2, 1, 0.5])
    assert sigma_schedule(2.0, 0.6, 1) == [2.0]


def coarse_maps(view: View) -> LossMaps:
    """Maps with their peaks where the view sees the points; a cell is 8 cm at 3 m."""
    return problem_of(view.points, (view.pixels, 1.0)).coarse_maps


def fine_maps(view: View) -> LossMaps:
    """Local maps of the same; a cell is 4 cm at 3 m."""
    return problem_of(view.points, (view.pixels, 1.0)).fine_maps(view.pixels, 24)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    ("maps_of", "first_sigma", "metres", "degrees"),
    [(coarse_maps, 2.0, 0.03, 0.25), (fine_maps, 4.0, 0.01, 0.1)],
)
def test_refinement_finds_the_truth_from_a_pose_nearby(seed, maps_of, first_sigma, metres, degrees):
    view = random_view(80, seed)
    starts = torch.stack([view.moved(0.12, 2.0, seed=k) for k in range(4)])
    sigmas = sigma_schedule(first_sigma, 0.6, 4)
    refined = refine(starts, view.points, INTRINSICS, maps_of(view), sigmas, 30)
    for pose in refined:
        assert view.error(pose).translation < metres
        assert np.degrees(view.error(pose).rotation) < degrees
        rotation = pose[:3, :3].double()
        torch.testing.assert_close(
            rotation @ rotation.T, torch.eye(3, dtype=torch.float64), atol=1e-5, rtol=0
        )


@pytest.mark.parametrize("least_share", [0.0, 0.1])
@pytest.mark.parametrize(("maps_of", "first_sigma"), [(coarse_maps, 2.0), (fine_maps, 4.0)])
def test_the_compiled_refinement_is_that_of_tensors(maps_of, first_sigma, least_share):
    view = random_view(80, 7)
    maps, sigmas = maps_of(view), sigma_schedule(first_sigma, 0.6, 3)
    for seed in range(4):
        starts = view.moved(0.12, 2.0, seed=seed)[None]
        problem = (starts, view.points, INTRINSICS)
        compiled = refine(*problem, maps, sigmas, 4, least_share=least_share)
        by_tensors = refine_by_tensors(*problem, maps, sigmas, 4, least_share=least_share)
        assert (compiled - starts).abs().max() > 1e-3
        torch.testing.assert_close(compiled, by_tensors, atol=2e-4, rtol=0)


@pytest.mark.parametrize("sigma", [0.6, 2.0])
def test_the_compiled_hessian_is_that_of_tensors(sigma):
    view = random_view(80, 7)
    maps = fine_maps(view)
    pose = view.moved(0.02, 0.3, seed=1)
    problem = (pose, view.points, INTRINSICS, maps, sigma)
    expected, found = hessian_by_tensors(*problem), smoothed_hessian(*problem)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4 * float(expected.abs().max()))


def test_refinement_never_raises_the_cost_of_the_problem_it_solves():
    view = random_view(60, 5)
    maps = coarse_maps(view)
    poses = torch.stack([view.moved(0.1 * k, 2.0 * k, seed=k) for k in range(5)])
    for sigma in sigma_schedule(2.0, 0.6, 4):
        cost = smoothed_cost(poses, view.points, INTRINSICS, maps, sigma).cost
        for _ in range(4):
            poses = refine(poses, view.points, INTRINSICS, maps, [sigma], 1)
            lower = smoothed_cost(poses, view.points, INTRINSICS, maps, sigma).cost
            # Cells beyond the reach of the kernel are left out.
            assert (lower <= cost + 1e-3 * cost.abs() + 1e-6).all()
            cost = lower


def test_smoothing_widens_the_basin():
    view = random_view(80, 0)
    maps = with_outliers(view, 0.5, "wrong", seed=0).coarse_maps
    starts = torch.stack([view.moved(0.7, 10.0, seed=k) for k in range(8)])

    def found(sigmas: list[float]) -> int:
        refined = refine(starts, view.points, INTRINSICS, maps, sigmas, 30)
        return sum(view.error(pose).translation < 0.05 for pose in refined)

    assert found(sigma_schedule(4.0, 0.6, 5)) == 8 > found([0.6])


def test_poses_that_no_map_attracts_stay():
    view = random_view(20, 2)
    empty = LossMaps(torch.zeros(20, 30, 40), torch.zeros(20, 2), 8, 3.5, 7.0)
    behind = view.T_camera_map.clone()
    behind[2] *= -1
    behind[0] *= -1
    for maps, pose in ((empty, view.T_camera_map), (coarse_maps(view), behind)):
        refined = refine(pose[None], view.points, INTRINSICS, maps, [2.0, 0.6], 10)
        torch.testing.assert_close(refined[0], pose)


@pytest.mark.parametrize("points", [0, 3])
def test_maps_without_any_cell_leave_poses_where_they_are(points: int) -> None:
    empty = LossMaps(torch.zeros(points, 5, 5), torch.zeros(points, 2), 4, 1.5, 7.0)
    poses, intrinsics = torch.eye(4)[None], torch.tensor([100.0, 100.0, 50.0, 50.0])
    refined = refine(poses, torch.rand(points, 3), intrinsics, empty, [2.0, 0.6], iterations=3)
    assert torch.equal(refined, poses)
