"""Which matches are kept, against sorting and against images with a known way back."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from matching.random_levels import random_descriptors, random_level
from torch.nn.functional import normalize

from dense_reloc_ros.features.extractor import FeatureLevel
from dense_reloc_ros.matching.correlation import correlate
from dense_reloc_ros.matching.filters import (
    best_matches,
    cyclic_check,
    probability_test,
    ratio_test,
)


def test_the_best_pixel_is_that_of_the_highest_cell():
    maps = torch.zeros(2, 5, 7)
    maps[0, 3, 6] = maps[1, 0, 2] = 1.0
    expected = torch.tensor([[25.5, 13.5], [9.5, 1.5]])
    torch.testing.assert_close(best_matches(maps, random_level()), expected)


@pytest.mark.parametrize("fraction", [0.0, 0.1, 0.5, 0.99, 1.0])
@pytest.mark.parametrize("ratio", [1.05, 1.5, 4.0])
def test_the_ratio_test_compares_with_a_rank(fraction, ratio):
    correlation = correlate(random_descriptors(200), random_level())
    kept = ratio_test(correlation, fraction, ratio)
    expected = []
    for point in correlation.flatten(1).numpy():
        ordered = np.sort(point)[::-1]
        rank = min(int(fraction * len(ordered)), len(ordered) - 1)
        expected.append(ordered[0] > ratio * ordered[rank])
    assert kept.tolist() == expected
    if (fraction, ratio) == (0.1, 1.5):
        assert 0 < kept.sum() < 200


def test_the_ratio_test_keeps_peaks_and_drops_plateaus():
    peak, plateau = torch.full((5, 7), 0.2), torch.full((5, 7), 0.6)
    peak[2, 3], plateau[2, 3] = 0.9, 0.61
    assert ratio_test(torch.stack([peak, plateau]), 0.1, 1 / 0.9).tolist() == [True, False]


def test_the_probability_test_is_a_threshold_on_the_peak():
    maps = torch.full((2, 5, 7), 0.01)
    maps[0, 1, 1], maps[1, 1, 1] = 0.31, 0.29
    assert probability_test(maps, 0.3).tolist() == [True, False]


def test_only_matches_that_lead_back_pass_the_cycle():
    """The reference is the query shifted by two cells; one of its cells looks like another."""
    generator = torch.Generator().manual_seed(0)
    scene = normalize(torch.randn(1, 32, 8, 14, generator=generator), dim=1)
    query = FeatureLevel(4, 1.5, scene[..., :12].clone())
    reference = FeatureLevel(8, 3.5, scene[..., 2:].clone())
    reference.values[0, :, 5, 1] = 0.9 * reference.values[0, :, 4, 8]
    cells = torch.tensor([[3.0, 2.0], [8.0, 4.0], [1.0, 5.0]])
    source = reference.cells_to_pixels(cells)
    found = best_matches(correlate(reference.sample(source), query), query)
    # The third finds the place of the second, and is led back to there.
    expected = query.cells_to_pixels(torch.tensor([[5.0, 2.0], [10.0, 4.0], [10.0, 4.0]]))
    torch.testing.assert_close(found, expected)
    kept = cyclic_check(source, reference, found, query, tolerance=6.0)
    assert kept.tolist() == [True, True, False]


def test_the_tolerance_of_the_cycle_is_in_pixels_of_the_reference():
    level = random_level(height=8, width=12)
    exact = level.cells_to_pixels(torch.tensor([[4.0, 3.0]]))
    beside = exact + torch.tensor([[1.2, 1.6]])
    assert cyclic_check(beside, level, exact, level, tolerance=2.1).item()
    assert not cyclic_check(beside, level, exact, level, tolerance=1.9).item()
