"""What every network that can be trained promises: published shapes, gradients, half precision."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from dense_reloc_ros.errors import ConfigurationError
from dense_reloc_ros.features.extractor import DenseFeatures
from dense_reloc_ros.features.network import FeatureNetwork
from dense_reloc_ros.features.networks import NETWORKS, create_network

SHAPES = {
    "s2dhm": {"coarse": (8, 2304), "fine": (4, 256)},
    "s2dnet": {"coarse": (8, 384), "fine": (2, 384), "conv1_2": (1, 128), "conv5_3": (16, 128)},
    "s2dnet_lite": {"coarse": (8, 192), "fine": (4, 192), "middle": (16, 64), "large": (32, 64)},
    "nre": {"coarse": (16, 1280), "fine": (2, 288)},
    "compact": {"coarse": (16, 128), "fine": (4, 64)},
}
"""Stride and channels of levels."""


@pytest.fixture(scope="module", params=SHAPES)
def network(request) -> Iterator[FeatureNetwork]:
    torch.manual_seed(0)
    yield create_network(request.param)


def images(count: int = 1) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.rand(count, 3, 240, 320, generator=generator)


def assert_normalized(features: DenseFeatures, network: FeatureNetwork, tolerance: float) -> None:
    vectors = [features.levels[name].values for name in network.level_signatures]
    for values in (*vectors, features.global_descriptor):
        norms = values.float().norm(dim=1)
        torch.testing.assert_close(norms, torch.ones_like(norms), atol=tolerance, rtol=0)


def test_levels_have_their_published_strides_and_channels(network):
    with torch.no_grad():
        features = network.eval()(images())
    assert_normalized(features, network, 1e-4)
    for name, (stride, channels) in SHAPES[network.name].items():
        level = features.levels[name]
        assert level.stride == stride
        assert level.values.shape == (1, channels, 240 // stride, 320 // stride)
        if name in ("coarse", "fine"):
            stated = network.level_signatures[name]
            assert (stated.stride, stated.channels) == (stride, channels)
    for level in features.levels.values():
        assert torch.isfinite(level.values).all()


def test_gradients_reach_every_kernel(network):
    features = network.train()(images(2)[..., :64, :96])
    outputs = [level.values for level in features.levels.values()] + [features.global_descriptor]
    generator = torch.Generator().manual_seed(1)
    total = sum((x * torch.randn(x.shape, generator=generator)).sum() for x in outputs)
    network.zero_grad()
    total.backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name
        # A bias before a batch norm changes nothing.
        assert parameter.ndim == 1 or parameter.grad.abs().sum() > 0, name


@torch.inference_mode()
def test_half_precision_changes_little(network):
    crop = images()[..., :64, :96]
    exact = network.eval()(crop)
    with torch.autocast("cpu", torch.float16):
        mixed = network(crop)
    assert_normalized(mixed, network, 2e-3)
    for name in network.level_signatures:
        values = exact.levels[name].values
        torch.testing.assert_close(values.half().float(), values, atol=1e-3, rtol=0)
        assert (values * mixed.levels[name].values).sum(1).median() > 0.9


def test_the_registry_knows_them_by_their_names():
    assert set(NETWORKS) == set(SHAPES)
    with pytest.raises(ConfigurationError, match="unknown network 'magic'") as error:
        create_network("magic")
    assert all(name in str(error.value) for name in NETWORKS)


def test_names_are_those_of_the_registry(network):
    assert create_network(network.name).name == network.name
