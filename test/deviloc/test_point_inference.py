"""What holds for the network whatever its weights are."""

from __future__ import annotations

import math

import pytest
import torch

from dense_reloc_ros.deviloc.point_inference import (
    IMAGE_CHANNELS,
    InferredDepth,
    MapImagePixels,
    PointInference,
    depth_range,
)
from dense_reloc_ros.features.extractor import FeatureSignature

IMAGES, OBSERVED, UNKNOWN = 2, 7, 11


def pixels(seed: int, count: int, with_depth: bool = False) -> MapImagePixels:
    generator = torch.Generator().manual_seed(seed)
    positions = torch.rand(IMAGES, count, 2, generator=generator) - 0.5
    features = torch.randn(IMAGES, count, IMAGE_CHANNELS, generator=generator) / 14
    depths = torch.rand(IMAGES, count, generator=generator) * 3 + 1
    return MapImagePixels(positions, features, depths if with_depth else None)


@pytest.fixture(scope="module")
def network() -> PointInference:
    torch.manual_seed(0)
    network = PointInference().eval().requires_grad_(False)
    for parameter in network.output.parameters():
        parameter.mul_(5)  # so that what it adds cannot be overlooked
    return network


def same(one: InferredDepth, other: InferredDepth) -> None:
    torch.testing.assert_close(one.depths, other.depths, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(one.scales, other.scales, atol=1e-5, rtol=1e-5)


def test_every_unknown_pixel_gets_a_depth_and_a_confidence(network):
    inferred = network(pixels(0, OBSERVED, True), pixels(1, UNKNOWN))
    assert inferred.depths.shape == inferred.scales.shape == (IMAGES, UNKNOWN)
    assert (inferred.depths > 0).all()
    assert ((inferred.confidence > 0) & (inferred.confidence < 1)).all()


def test_the_order_of_observed_pixels_does_not_matter(network):
    observed, unknown = pixels(0, OBSERVED, True), pixels(1, UNKNOWN)
    order = torch.randperm(OBSERVED, generator=torch.Generator().manual_seed(2))
    assert observed.depths is not None
    shuffled = MapImagePixels(
        observed.positions[:, order], observed.features[:, order], observed.depths[:, order]
    )
    same(network(shuffled, unknown), network(observed, unknown))


def test_depths_follow_the_order_of_unknown_pixels(network):
    observed, unknown = pixels(0, OBSERVED, True), pixels(1, UNKNOWN)
    order = torch.randperm(UNKNOWN, generator=torch.Generator().manual_seed(2))
    shuffled = MapImagePixels(unknown.positions[:, order], unknown.features[:, order])
    expected = network(observed, unknown)
    found = network(observed, shuffled)
    same(found, InferredDepth(expected.depths[:, order], expected.scales[:, order]))


def test_pixels_that_only_fill_an_image_change_nothing(network):
    observed, unknown = pixels(0, OBSERVED, True), pixels(1, UNKNOWN)
    assert observed.depths is not None
    exists = torch.arange(OBSERVED) < OBSERVED - 3
    fewer = MapImagePixels(
        observed.positions[:, :-3], observed.features[:, :-3], observed.depths[:, :-3]
    )
    filled = MapImagePixels(
        observed.positions, observed.features, observed.depths, exists.expand(IMAGES, -1)
    )
    same(network(filled, unknown), network(fewer, unknown))


@pytest.mark.parametrize("factor", [0.01, 30.0])
def test_the_unit_of_length_does_not_matter(network, factor):
    observed, unknown = pixels(0, OBSERVED, True), pixels(1, UNKNOWN)
    assert observed.depths is not None
    scaled = MapImagePixels(observed.positions, observed.features, factor * observed.depths)
    found, expected = network(scaled, unknown), network(observed, unknown)
    same(InferredDepth(found.depths / factor, found.scales), expected)


def test_a_single_observed_pixel_is_enough(network):
    inferred = network(pixels(0, 1, True), pixels(1, UNKNOWN))
    assert inferred.depths.isfinite().all()


def test_ranges_of_depth_leave_outliers_out_and_are_never_empty():
    depths = torch.linspace(1, 3, 101)[None].clone()
    depths[0, -1] = 1000.0
    low, span = depth_range(depths, torch.ones_like(depths, dtype=torch.bool))
    assert float(low) == pytest.approx(1.1, abs=0.01)
    assert float(span) == pytest.approx(1.8, abs=0.01)
    low, span = depth_range(torch.tensor([[2.0, 9.0]]), torch.tensor([[True, False]]))
    assert (float(low), float(span)) == pytest.approx((2.0, 0.4))


def test_confidences_are_probabilities_of_a_laplace_distribution():
    scales = torch.tensor([[0.02, 0.1]])
    inferred = InferredDepth(torch.ones(1, 2), scales)
    errors = torch.distributions.Laplace(0.0, scales).sample((20_000,)).abs()
    torch.testing.assert_close(
        inferred.confidence, (errors < 0.05).float().mean(0), atol=0.02, rtol=0
    )
    torch.testing.assert_close(inferred.deviations, math.sqrt(2) * scales)


def test_it_knows_the_features_that_it_learned_from():
    network = PointInference("ab" * 32)
    same_features = FeatureSignature(
        method="sparse_to_dense", network="compact", weights_sha256="ab" * 32, levels={}
    )
    assert network.knows(same_features)
    assert not network.knows(same_features.model_copy(update={"weights_sha256": "cd" * 32}))
    assert not network.knows(same_features.model_copy(update={"network": "s2dnet"}))
