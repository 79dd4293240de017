"""Mean matching accuracy, on features whose matches are known by construction."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch

from dense_reloc_ros.evaluation.benchmarks.homographies import HomographyPair
from dense_reloc_ros.evaluation.benchmarks.matching_accuracy import (
    CYCLIC_PIXELS,
    match,
    match_pair,
    matching_accuracy,
    mean_accuracy,
)
from dense_reloc_ros.features.dense_sift import DenseSift
from dense_reloc_ros.features.extractor import DenseFeatures, FeatureLevel

CPU = torch.device("cpu")
WIDTH, HEIGHT = 320, 240


def picture(seed: int = 0) -> np.ndarray:
    """Squares of several sizes, larger than a view on all sides."""
    rng = np.random.default_rng(seed)
    sizes = (np.array([30, 40]), np.array([60, 80]), np.array([12, 16]))
    octaves = [rng.uniform(0, 255, (*size, 3)) for size in sizes]
    shape = (WIDTH + 80, HEIGHT + 60)
    sized = [cv2.resize(octave, shape, interpolation=cv2.INTER_CUBIC) for octave in octaves]
    return np.clip(np.mean(sized, axis=0), 0, 255).astype(np.uint8)


def shifted_pair(right: int, down: int, other: bool = False) -> HomographyPair:
    """The target shows everything further left and up, or another picture altogether."""
    homography = np.array([[1.0, 0, -right], [0, 1, -down], [0, 0, 1]])
    source, target = picture()[:HEIGHT, :WIDTH], picture(1 if other else 0)
    return HomographyPair(
        "pair",
        source,
        np.ascontiguousarray(target[down : down + HEIGHT, right : right + WIDTH]),
        homography,
    )


def test_shifts_are_matched_to_a_part_of_a_cell():
    errors = match_pair(DenseSift(CPU), shifted_pair(16, 8))
    assert len(errors.pixels) > 100
    assert (errors.pixels < 3).mean() > 0.9
    assert np.median(errors.pixels) < 1
    assert (errors.pixels[errors.leads_back] < 5).mean() > 0.98
    assert errors.leads_back.mean() > 0.8


def test_accuracy_is_the_mean_of_the_pairs_and_the_check_removes_bad_matches():
    pairs = [shifted_pair(16, 8), shifted_pair(4, 20), shifted_pair(16, 8, other=True)]
    extractor = DenseSift(CPU)
    every, cyclic = matching_accuracy(extractor, pairs, "clean")
    errors = [match_pair(extractor, pair) for pair in pairs]
    for threshold, name in ((1, "1px"), (3, "3px"), (5, "5px")):
        shares = [np.mean(e.pixels <= threshold) for e in errors]
        assert every.accuracy[name] == pytest.approx(sum(shares) / 3)
        kept = [e.pixels[e.leads_back] for e in errors]
        assert cyclic.accuracy[name] == pytest.approx(
            sum(np.mean(k <= threshold) for k in kept) / 3
        )
    assert (every.network, every.level, every.pairs) == ("dense_sift", "clean", 3)
    assert (every.cyclic, cyclic.cyclic) == (False, True)
    assert every.matches == pytest.approx(np.mean([len(e.pixels) for e in errors]))
    assert cyclic.matches < every.matches
    # Of the pair that shows two pictures, nearly nothing leads back.
    assert errors[2].leads_back.mean() < 0.3
    assert every.accuracy["5px"] > 0.6


def test_a_pair_without_matches_counts_as_nothing():
    errors = [np.array([0.5, 2.0]), np.array([]), np.array([np.inf, 0.1, 0.2, 9.0])]
    assert mean_accuracy(errors, 1.0) == pytest.approx((0.5 + 0.0 + 0.5) / 3)
    assert mean_accuracy(errors, 3.0) == pytest.approx((1.0 + 0.0 + 0.5) / 3)


def test_pixels_that_are_nowhere_match_nowhere():
    source = DenseSift(CPU)(
        torch.from_numpy(picture()[:HEIGHT, :WIDTH] / 255.0).permute(2, 0, 1)[None].float()
    )
    pixels = torch.tensor([[100.0, 80.0], [torch.nan, torch.nan]])
    found = match(source, pixels, source)
    assert (found[0] - pixels[0]).norm() < CYCLIC_PIXELS
    assert found[1].isnan().all()


def test_the_fine_level_decides_within_the_window_of_the_coarse_one():
    """The fine level alone would go far away, the coarse one alone is a cell too rough."""
    torch.manual_seed(0)
    coarse = torch.nn.functional.normalize(torch.randn(1, 32, 15, 20), dim=1)
    fine = torch.nn.functional.normalize(torch.randn(1, 32, 60, 80), dim=1)
    target_fine = fine.clone()
    target_fine[..., 50, 70] = fine[..., 21, 33]  # A better copy, far outside of the window.
    target_fine[..., 21, 33] = fine[..., 21, 33] + 0.03
    target_fine = torch.nn.functional.normalize(target_fine, dim=1)
    source = DenseFeatures(
        {"coarse": FeatureLevel(16, 7.5, coarse), "fine": FeatureLevel(4, 1.5, fine)},
        torch.ones(1, 1),
    )
    target = DenseFeatures(
        {"coarse": FeatureLevel(16, 7.5, coarse), "fine": FeatureLevel(4, 1.5, target_fine)},
        torch.ones(1, 1),
    )
    pixel = torch.tensor([[33 * 4 + 1.5, 21 * 4 + 1.5]])
    assert (match(source, pixel, target) - pixel).norm() < 2
