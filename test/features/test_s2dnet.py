"""S2DNet: its published shape, and eq. 3.3 taken literally."""

from __future__ import annotations

import pytest
import torch
from features.mirror import assert_cells_lie_where_they_say
from features.random_weights import random_state
from torch.nn.functional import avg_pool2d, interpolate

from dense_reloc_ros.features.extractor import DenseFeatures
from dense_reloc_ros.features.preprocess import standardize
from dense_reloc_ros.features.s2dnet import LAYERS, S2dNet
from dense_reloc_ros.matching.correlation import correlate

HEIGHT, WIDTH = 64, 96


@pytest.fixture(scope="module")
def network() -> S2dNet:
    network = S2dNet().eval()
    network.load_state_dict(random_state(network))
    return network


@pytest.fixture(scope="module")
def features(network) -> DenseFeatures:
    with torch.inference_mode():
        return network(images())


def images(height: int = HEIGHT, width: int = WIDTH) -> torch.Tensor:
    return torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(0))


@torch.inference_mode()
def test_layers_are_read_after_their_relu_and_adapted(network, features):
    outputs = network.trunk(standardize(images()), LAYERS)
    for name, stride in zip(LAYERS, (1, 4, 16), strict=True):
        narrow, relu, wide, norm = network.adaptations[name]
        assert (narrow.kernel_size, narrow.out_channels) == ((1, 1), 64)
        assert (wide.kernel_size, wide.padding, wide.out_channels) == ((5, 5), (2, 2), 128)
        x = outputs[name].values
        assert (x < 0).any()
        expected = norm(wide(torch.clamp(narrow(torch.clamp(x, min=0)), min=0)))
        assert isinstance(relu, torch.nn.ReLU)
        level = features.levels[name]
        torch.testing.assert_close(level.values, expected)
        assert level.values.shape == (1, 128, HEIGHT // stride, WIDTH // stride)


def literal_equation_3_3(features: DenseFeatures, points: torch.Tensor) -> torch.Tensor:
    """Correlation maps (N, H, W) of points of the same image, level by level."""
    total = torch.zeros(len(points), HEIGHT, WIDTH)
    for name in LAYERS:
        level = features.levels[name].values[0]
        stride = WIDTH // level.shape[-1]
        cells = (points / stride).long()
        descriptors = level[:, cells[:, 1], cells[:, 0]].T
        maps = torch.einsum("nc,chw->nhw", descriptors, level)
        total += interpolate(maps[:, None], (HEIGHT, WIDTH), mode="bilinear")[:, 0]
    return total


@torch.inference_mode()
def test_both_levels_correlate_as_equation_3_3_does(features):
    """Up to the norms: those of the points, one for a map each, and those of the query's cells."""
    points = torch.tensor([[5, 9], [40, 33], [70, 20], [90, 60]])
    expected = literal_equation_3_3(features, points)
    unscaled = torch.cat(
        [
            interpolate(features.levels[name].values, (HEIGHT, WIDTH), mode="bilinear")
            for name in LAYERS
        ],
        dim=1,
    )
    descriptors = torch.cat(
        [
            features.levels[name].values[0][:, points[:, 1] // s, points[:, 0] // s]
            for name, s in zip(LAYERS, (1, 4, 16), strict=True)
        ]
    ).T
    for name, cell in (("fine", 2), ("coarse", 8)):
        level = features.levels[name]
        assert (level.stride, level.offset) == (cell, (cell - 1) / 2)
        assert level.values.shape == (1, 384, HEIGHT // cell, WIDTH // cell)
        mean = avg_pool2d(expected, cell)
        norms = avg_pool2d(unscaled, cell).norm(dim=1)
        torch.testing.assert_close(
            correlate(descriptors, level), mean / norms, atol=2e-3, rtol=1e-3
        )


@torch.inference_mode()
def test_points_find_themselves(features):
    level = features.levels["fine"]
    cells = torch.tensor([[10.0, 7.0], [33.0, 25.0]])
    descriptors = level.sample(level.cells_to_pixels(cells))
    best = correlate(descriptors, level).flatten(1).argmax(1)
    assert best.tolist() == [7 * WIDTH // 2 + 10, 25 * WIDTH // 2 + 33]


def test_cells_lie_where_they_say(network):
    assert_cells_lie_where_they_say(network, images())
