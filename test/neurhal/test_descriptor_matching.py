from __future__ import annotations

import math

import pytest
import torch
from torch.nn.functional import normalize

from dense_reloc_ros.neurhal.descriptor_matching import (
    NOWHERE,
    TEMPERATURES,
    log_gain,
    mutual_matches,
)


def descriptors(count: int, seed: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return normalize(torch.randn(1, count, 16, generator=generator, dtype=torch.float64), dim=-1)


def test_matches_are_those_of_the_formula():
    points, source, target = descriptors(3, 0), descriptors(5, 1), descriptors(4, 2)
    found = mutual_matches(points, source, target)
    assert found.shape == (1, len(TEMPERATURES), 3, 4)
    for head, t in enumerate(TEMPERATURES):
        for i in range(3):
            weights = []
            for j in range(4):
                rivals = sum(math.exp(t * float(one @ target[0, j])) for one in source[0])
                weights.append(math.exp(2 * t * float(points[0, i] @ target[0, j])) / rivals)
            total = sum(weights) + math.exp(t * NOWHERE)
            expected = [weight / total for weight in weights]
            assert found[0, head, i].tolist() == pytest.approx(expected, rel=1e-9)


def test_a_cell_that_another_place_of_the_source_fits_better_is_not_a_match():
    target = descriptors(6, 3)
    # A cosine of 0.65, above that of nowhere; that of the rival is 1.
    other = normalize(torch.linalg.svd(target).Vh[:, -1:], dim=-1)
    points = 0.65 * target[:, :1] + (1 - 0.65**2) ** 0.5 * other
    alone = mutual_matches(points, points, target)
    rivalled = mutual_matches(points, torch.cat([points, target[:, :1]], 1), target)
    assert float(alone[0, 1, 0, 0]) > 0.99
    assert float(rivalled[0, 1, 0, 0]) < 0.5


def test_points_that_fit_nowhere_have_hardly_any_probability():
    target = torch.eye(16, dtype=torch.float64)[None, :8]
    point = torch.eye(16, dtype=torch.float64)[None, 9:10]
    assert float(mutual_matches(point, target, target).sum(-1).max()) < 0.01


def test_the_gain_is_nothing_for_no_probability_and_grows_with_it():
    found = log_gain(torch.tensor([0.0, 0.001, 1.0], dtype=torch.float64))
    assert found.tolist() == pytest.approx([0, math.log(2), math.log(1001)])
