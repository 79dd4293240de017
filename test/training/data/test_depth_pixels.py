"""Pixels with and without depth, drawn from a room whose depth is known everywhere."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from training.data.clean_pairs import small_room

from dense_reloc_ros.training.data import rooms
from dense_reloc_ros.training.data.depth_pixels import FEWEST_OBSERVED, DepthPixelsSource
from dense_reloc_ros.training.data.sources import RoomDepthsConfiguration, create_source

SIZE, POINTS = (72, 96), 40


@pytest.fixture(autouse=True)
def small_rooms(monkeypatch) -> None:
    """Every room is the same small one, in the same light always."""
    monkeypatch.setattr(rooms, "random_room", lambda _: small_room())
    monkeypatch.setattr(rooms, "relit", lambda room, _: room)


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("rooms")


def create(cache, **values) -> DepthPixelsSource:
    few = {"rooms": 1, "frames": 8, "width": 96, "height": 72, "zoom": 1.0}
    source = create_source(RoomDepthsConfiguration(cache=cache, **few, **values), SIZE, POINTS)
    assert isinstance(source, DepthPixelsSource)
    return source


def test_examples_have_one_size_and_are_functions_of_their_number(cache):
    source, again = create(cache), create(cache)
    for number in (0, 5, 17):
        example = source.pair(number)
        assert example.positions.shape == (POINTS, 2)
        assert example.features.shape == (POINTS, 192)
        assert example.observed_positions.shape == (POINTS // 2, 2)
        assert example.observed.sum() >= FEWEST_OBSERVED
        assert torch.equal(example.depths, again.pair(number).depths)
        assert torch.equal(example.observed_depths, again.pair(number).observed_depths)
    assert not torch.equal(source.pair(0).depths, source.pair(1).depths)


def test_features_and_depths_are_those_of_the_pixel(cache):
    """Without noise an observed pixel that is unknown, too, has the same depth and features."""
    source = create(cache, noise=0.0, outliers=0.0, missing=0.0, density=(0.5, 0.5))
    shared = 0
    for number in range(30):
        example = source.pair(number)
        same = (example.positions[:, None] == example.observed_positions).all(-1)
        unknown, observed = (same & example.observed).nonzero(as_tuple=True)
        shared += len(unknown)
        assert torch.equal(example.depths[unknown], example.observed_depths[observed])
        assert torch.equal(example.features[unknown], example.observed_features[observed])
        assert (example.depths > 0.5).all() and (example.depths < 12.0).all()
    assert shared > 10


def test_observed_pixels_are_as_few_as_the_density_says(cache):
    source = create(cache, density=(0.1, 0.5), missing=0.0)
    counts = np.array([int(source.pair(number).observed.sum()) for number in range(200)])
    assert counts.min() >= 4 and counts.max() <= 20
    # Log-uniform: half of them below the geometric mean of 4 and 20.
    assert np.mean(counts < np.sqrt(4 * 20)) == pytest.approx(0.5, abs=0.12)


def test_noise_and_outliers_spoil_observed_depths_only(cache):
    clean, noisy = (
        create(cache, noise=noise, outliers=outliers, missing=0.0, density=(0.5, 0.5))
        for noise, outliers in ((0.0, 0.0), (0.1, 0.2))
    )
    ratios = []
    for number in range(60):
        one, other = clean.pair(number), noisy.pair(number)
        assert torch.equal(one.depths, other.depths)
        ratios.append((other.observed_depths / one.observed_depths)[one.observed])
    logarithms = torch.cat(ratios).log().numpy()
    assert np.median(np.abs(logarithms)) < 0.05
    assert 0.01 < np.mean(np.abs(logarithms) > 0.3) < 0.15


def test_parts_of_images_may_have_no_depth(cache):
    def one_sided(missing: float) -> float:
        """The share of images with all observed pixels on one side of a line."""
        source = create(cache, missing=missing, density=(0.5, 0.5))
        found = 0
        for number in range(40):
            example = source.pair(number)
            seen = example.observed_positions[example.observed]
            angles = torch.linspace(0, 2 * np.pi, 16)
            sides = seen @ torch.stack([angles.cos(), angles.sin()])
            unknown = example.positions @ torch.stack([angles.cos(), angles.sin()])
            found += bool(((unknown < sides.amin(0) - 0.05).float().mean(0) > 0.25).any())
        return found / 40

    assert one_sided(1.0) > one_sided(0.0) + 0.3
