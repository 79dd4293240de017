from __future__ import annotations

import pytest
import torch
from torch import nn

from dense_reloc_ros.dsm.confidence_network import ConfidenceNetwork, ContextNormalization


def test_context_normalization_is_over_the_pixels_of_each_channel_of_each_image():
    generator = torch.Generator().manual_seed(0)
    x = 5 * torch.randn(2, 3, 4, 6, generator=generator, dtype=torch.float64) + 2
    normalized = ContextNormalization()(x)
    for image in range(2):
        for channel in range(3):
            values = x[image, channel]
            mean = values.sum() / 24
            deviation = ((values - mean).square().sum() / 24 + 1e-5).sqrt()
            torch.testing.assert_close(normalized[image, channel], (values - mean) / deviation)


def test_five_residual_blocks_of_1x1_convolutions():
    network = ConfidenceNetwork()
    convolutions = [m for m in network.modules() if isinstance(m, nn.Conv2d)]
    assert all(m.kernel_size == (1, 1) for m in convolutions)
    assert sum(isinstance(m, ContextNormalization) for m in network.modules()) == 2 * 5
    # Three coordinates and two of the pixel.
    assert convolutions[0].in_channels == 5


@pytest.mark.parametrize("extra", [0, 4])
def test_certainties_are_shares(extra):
    generator = torch.Generator().manual_seed(0)
    coordinates = torch.randn(2, 3, 6, 8, generator=generator)
    others = torch.randn(2, extra, 6, 8, generator=generator) if extra else None
    certainty = ConfidenceNetwork(extra)(coordinates, others)
    assert certainty.shape == (2, 6, 8)
    assert ((certainty >= 0) & (certainty <= 1)).all()
    assert certainty.std() > 0


def test_all_pixels_matter_for_one():
    network = ConfidenceNetwork().double()
    coordinates = torch.randn(1, 3, 6, 8, generator=torch.Generator().manual_seed(0)).double()
    before = network(coordinates)
    coordinates[0, :, 5, 7] += 3
    assert (network(coordinates)[0, 0, 0] - before[0, 0, 0]).abs() > 1e-9
