"""Correlation and correspondence maps against loops over points and cells."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from matching.random_levels import random_descriptors, random_level

from dense_reloc_ros.matching.correlation import (
    BYTES_PER_CELL,
    chunks,
    correlate,
    log_correspondence_maps,
    match_all,
)


@pytest.mark.parametrize("image", [0, 1])
def test_correlation_is_a_dot_product_with_every_cell(image):
    level, descriptors = random_level(images=2), random_descriptors(4)
    correlation = correlate(descriptors, level, image)
    assert correlation.shape == (4, 5, 7)
    for point in range(4):
        for row in range(5):
            for column in range(7):
                cell = level.values[image, :, row, column].numpy()
                expected = float(np.dot(cell, descriptors[point].numpy()))
                assert correlation[point, row, column].item() == pytest.approx(expected, abs=1e-6)


def test_half_precision_descriptors_are_correlated_in_the_features_precision():
    level, descriptors = random_level(), random_descriptors(4)
    correlation = correlate(descriptors.half(), level)
    assert correlation.dtype == torch.float32
    torch.testing.assert_close(correlation, correlate(descriptors.half().float(), level))


@pytest.mark.parametrize("temperature", [0.01, 0.3])
def test_maps_are_softmaxes(temperature):
    correlation = correlate(random_descriptors(4), random_level())
    maps = log_correspondence_maps(correlation, temperature).exp()
    for point in range(4):
        powers = np.exp(correlation[point].double().numpy() / temperature)
        np.testing.assert_allclose(maps[point], powers / powers.sum(), rtol=1e-4, atol=1e-9)


def test_extreme_correlations_stay_finite():
    correlation = torch.tensor([[[1.0, -1.0], [0.0, 1.0]]])
    maps = log_correspondence_maps(correlation, 1e-4)
    expected = torch.tensor([[[0.0, -2e4], [-1e4, 0.0]]]) - np.log(2)
    torch.testing.assert_close(maps, expected)


@pytest.mark.parametrize("points_at_once", [0.5, 1, 3, 4, 100])
def test_any_memory_limit_gives_the_same_maps(points_at_once):
    level, descriptors = random_level(), random_descriptors(10)
    limit = int(points_at_once * BYTES_PER_CELL * 35)
    expected = log_correspondence_maps(correlate(descriptors, level), 0.1)
    torch.testing.assert_close(match_all(descriptors, level, 0.1, limit), expected)


def test_chunks_cover_all_points_within_the_limit():
    found = list(chunks(10, 35, 3 * BYTES_PER_CELL * 35))
    assert [list(range(10))[chunk] for chunk in found] == [[0, 1, 2], [3, 4, 5], [6, 7, 8], [9]]
    assert list(chunks(0, 35, 1)) == []


def test_no_points_have_no_maps():
    assert match_all(torch.empty(0, 6), random_level(), 0.1).shape == (0, 5, 7)
