"""CPA against loops over all points, and against what two rays say."""

from __future__ import annotations

import math

import pytest
import torch

from dense_reloc_ros.deviloc.point_aggregation import (
    LiftedPoints,
    along_rays,
    confidence_of,
    confidence_weighted,
    query_cells,
)


def lifted(pixels, points, centres, angle=0.003, deviation=0.1, confidences=None) -> LiftedPoints:
    points = torch.as_tensor(points, dtype=torch.float64)
    count = len(points)
    if confidences is None:
        confidences = torch.full((count,), 0.5, dtype=torch.float64)
    return LiftedPoints(
        torch.as_tensor(pixels, dtype=torch.float64),
        points,
        torch.as_tensor(centres, dtype=torch.float64).expand(count, 3),
        torch.full((count,), angle, dtype=torch.float64),
        torch.as_tensor(deviation, dtype=torch.float64).expand(count),
        torch.as_tensor(confidences, dtype=torch.float64),
    )


def random_points(seed: int = 0, count: int = 60) -> LiftedPoints:
    generator = torch.Generator().manual_seed(seed)
    return lifted(
        torch.randint(0, 10, (count, 2), generator=generator) + 0.3,
        torch.randn(count, 3, generator=generator) + torch.tensor([0.0, 0.0, 5.0]),
        torch.zeros(3),
        confidences=torch.rand(count, generator=generator).clamp(min=0.05),
    )


@pytest.mark.parametrize("size", [2.0, 4.0])
def test_confidence_weighted_means_are_those_of_a_loop(size):
    points = random_points()
    cells: dict[tuple[int, int], list[int]] = {}
    for i, (x, y) in enumerate(points.pixels.tolist()):
        cells.setdefault((round(x / size), round(y / size)), []).append(i)
    joined = confidence_weighted(points, size)
    assert len(joined.pixels) == len(cells)
    for g, members in enumerate(cells[key] for key in sorted(cells)):
        c = points.confidences[members]
        expected = sum(points.confidences[i] * points.points[i] for i in members) / c.sum()
        torch.testing.assert_close(joined.points[g], expected)
        torch.testing.assert_close(joined.confidences[g], c.mean())
        torch.testing.assert_close(joined.pixels[g], points.pixels[members].mean(0))


def test_pixels_are_rounded_to_multiples_of_the_size():
    pixels = torch.tensor([[0.9, 0.0], [1.1, 0.0], [2.9, 0.0], [3.1, 0.0]])
    index, count = query_cells(pixels, 2.0)
    assert count == 3
    assert index.tolist() == [0, 1, 1, 2]


def test_points_below_tau_are_dropped():
    joined = confidence_weighted(random_points(), 2.0)
    kept = joined.confident(0.5)
    assert 0 < len(kept.pixels) < len(joined.pixels)
    assert (kept.confidences >= 0.5).all()
    assert len(kept.points) == int((joined.confidences >= 0.5).sum())


@pytest.mark.parametrize("aggregate", [confidence_weighted, along_rays])
def test_points_and_confidences_can_be_learned_through(aggregate):
    points = random_points(count=6)

    def joined(xyz, deviations, confidences):
        found = aggregate(
            LiftedPoints(
                points.pixels, xyz, points.centres, points.angles, deviations, confidences
            ),
            4.0,
        )
        return found.points, found.confidences

    inputs = (points.points, points.deviations, points.confidences)
    assert torch.autograd.gradcheck(joined, [one.clone().requires_grad_() for one in inputs])


def test_rays_meet_where_the_point_is_although_both_depths_are_wrong():
    truth = torch.tensor([0.3, -0.2, 4.0], dtype=torch.float64)
    centres = torch.tensor([[0.0, 0.0, 0.0], [1.0, 0.0, 0.0]], dtype=torch.float64)
    wrong = centres + (truth - centres) * torch.tensor([[1.2], [0.9]])
    points = lifted([[5.0, 5.0]] * 2, wrong, centres, angle=1e-4, deviation=0.3)
    joined = along_rays(points, 2.0)
    torch.testing.assert_close(joined.points[0], truth, atol=2e-3, rtol=0)
    mean = confidence_weighted(points, 2.0).points[0]
    assert (mean - truth).norm() > 0.05


def test_a_single_reference_keeps_its_point_and_its_confidence():
    points = lifted([[5.0, 5.0]], [[0.5, 0.5, 3.0]], torch.zeros(3), deviation=0.04)
    joined = along_rays(points, 2.0)
    torch.testing.assert_close(joined.points, points.points)
    # A Laplace distribution of this deviation has the scale 0.04 / sqrt(2).
    expected = 1 - math.exp(-0.05 / (0.04 / math.sqrt(2)))
    assert float(joined.confidences) == pytest.approx(expected, rel=1e-6)
    assert float(confidence_of(torch.tensor(0.04))) == pytest.approx(expected, rel=1e-6)


def test_consistent_points_are_joined_by_the_inverse_of_their_covariances():
    centres = torch.tensor([[0.0, 0, 0], [2.0, 0, 0], [0, 1.0, 1.0]], dtype=torch.float64)
    truth = torch.tensor([1.0, 1.0, 5.0], dtype=torch.float64)
    # So near to each other that the reweighting does not tell them apart.
    moved = truth + 1e-6 * torch.tensor([[1.0, 2, 3], [-2, 1, 0], [0, -1, 2]])
    points = lifted([[1.0, 1.0]] * 3, moved, centres, deviation=[0.05, 0.1, 0.2])
    total, pull = torch.zeros(3, 3, dtype=torch.float64), torch.zeros(3, dtype=torch.float64)
    for point, centre, deviation in zip(moved, centres, (0.05, 0.1, 0.2), strict=True):
        ray = point - centre
        distance, ray = ray.norm(), ray / ray.norm()
        along = torch.outer(ray, ray)
        covariance = (distance * deviation) ** 2 * along + (distance * 0.003) ** 2 * (
            torch.eye(3) - along
        )
        information = torch.linalg.inv(covariance)
        total, pull = total + information, pull + information @ point
    joined = along_rays(points, 2.0)
    torch.testing.assert_close(joined.points[0], torch.linalg.solve(total, pull), atol=1e-8, rtol=0)


def test_references_that_contradict_the_others_weigh_nothing():
    truth = torch.tensor([0.0, 0.0, 4.0], dtype=torch.float64)
    centres = torch.tensor([[x, 0.0, 0.0] for x in (-1.0, -0.5, 0.0, 0.5, 1.0)])
    seen = truth.expand(5, 3).clone()
    seen[1] = torch.tensor([1.5, 0.5, 3.0])
    points = lifted([[3.0, 3.0]] * 5, seen, centres, deviation=0.1)
    torch.testing.assert_close(along_rays(points, 2.0).points[0], truth, atol=0.02, rtol=0)
