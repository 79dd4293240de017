"""NRE's networks: the shape that the thesis gives them, and torchvision's Inception-v3 in them."""

from __future__ import annotations

import pytest
import torch
from features.mirror import assert_cells_lie_where_they_say
from features.random_weights import random_state
from torchvision.models.inception import Inception3

from dense_reloc_ros.features.nre_network import NreNetwork
from dense_reloc_ros.features.preprocess import standardize
from dense_reloc_ros.features.weights import load_weights


@pytest.fixture(scope="module")
def network() -> NreNetwork:
    network = NreNetwork().eval()
    network.load_state_dict(random_state(network))
    return network


def images(height: int, width: int) -> torch.Tensor:
    return torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(0))


@torch.inference_mode()
@pytest.mark.parametrize(("height", "width"), [(64, 96), (50, 71)])
def test_nothing_shrinks_but_by_the_strides(network, height, width):
    levels = network(images(height, width)).levels
    for name, stride, channels in (("coarse", 16, 1280), ("fine", 2, 288)):
        assert (levels[name].stride, levels[name].offset) == (stride, 0.0)
        rows, columns = -(-height // stride), -(-width // stride)
        assert levels[name].values.shape == (1, channels, rows, columns)


def test_cells_lie_where_they_say(network):
    assert_cells_lie_where_they_say(network, images(65, 97))


def test_the_fine_network_sees_what_the_thesis_says(network):
    """43 pixels (B.2.1), in double precision: the outermost have tiny weights."""
    fine = network.fine.double()
    line = torch.rand(1, 3, 43, 101, dtype=torch.float64).requires_grad_()
    fine(line)[0, :, 10, 25].abs().sum().backward()
    seen = line.grad.abs().sum((0, 1, 2)).nonzero()[:, 0]
    network.float()
    assert (seen.min(), seen.max()) == (50 - 21, 50 + 21)


@pytest.fixture(scope="module")
def imagenet() -> Inception3:
    inception = Inception3(transform_input=True, init_weights=False)
    inception.load_state_dict(random_state(inception))
    return inception.eval()


@torch.inference_mode()
def test_imagenets_weights_do_what_they_did(imagenet, tmp_path):
    """Where no padding is seen: cell i of the padded layers is cell i - 1 of torchvision's."""
    torch.save(imagenet.state_dict(), tmp_path / "inception.pth")
    network = NreNetwork().eval()
    assert not load_weights(network, tmp_path / "inception.pth").is_trained
    x = standardize(images(80, 96))
    inputs = imagenet._transform_input(x)
    first = imagenet.Conv2d_1a_3x3(inputs)
    shifted = x[..., 1:, 1:]
    for branch in (network.coarse, network.fine):
        found = branch.trunk.Conv2d_1a_3x3(shifted)[..., 1:38, 1:46]
        torch.testing.assert_close(found, first[..., 1:38, 1:46], atol=1e-4, rtol=1e-4)
    maps = torch.rand(1, 64, 12, 12)
    expected = imagenet.Conv2d_3b_1x1(maps)
    for branch in (network.coarse, network.fine):
        torch.testing.assert_close(branch.trunk.Conv2d_3b_1x1(maps), expected)
    maps = torch.rand(1, 768, 9, 9)
    # Every second cell, from the second on, is what the strided block computes; it pooled the rest.
    found = network.coarse.trunk.Mixed_7a(maps)[:, :512, 1:-1:2, 1:-1:2]
    torch.testing.assert_close(found, imagenet.Mixed_7a(maps)[:, :512], atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(network.coarse.trunk.Mixed_7a(maps)[:, 512:], maps)
