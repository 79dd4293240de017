"""S2DNet on the small trunk: where its levels lie, and what training begins with."""

from __future__ import annotations

import json

import pytest
import torch
from features.random_weights import random_state
from torch.nn.functional import cosine_similarity

from dense_reloc_ros.errors import ConfigurationError
from dense_reloc_ros.features.compact import Compact
from dense_reloc_ros.features.extractor import image_to_tensor
from dense_reloc_ros.features.extractors import create_extractor
from dense_reloc_ros.features.hypercolumn import Layer
from dense_reloc_ros.features.level_stack import stacked_levels
from dense_reloc_ros.features.s2dnet_lite import S2dNetLite
from dense_reloc_ros.features.weights import load_weights
from dense_reloc_ros.matching.correlation import correlate
from dense_reloc_ros.matching.filters import best_matches
from dense_reloc_ros.rendering.photographs import photograph

CPU = torch.device("cpu")
HEIGHT, WIDTH = 128, 192
STRIDES = {"stem": 4, "middle": 16, "large": 32}


@pytest.fixture(scope="module")
def network() -> S2dNetLite:
    network = S2dNetLite().eval()
    load_weights(network, Compact().default_weights())
    state = random_state(network.adaptations)
    network.adaptations.load_state_dict(state)
    return network


@torch.inference_mode()
def features_of(network: S2dNetLite):
    image = image_to_tensor(photograph("coffee"), CPU)[..., :HEIGHT, :WIDTH]
    return network(image)


def test_levels_have_the_strides_that_they_say(network):
    levels = features_of(network).levels
    for name, stride in {"coarse": 8, "fine": 4, **STRIDES}.items():
        level = levels[name]
        assert level.stride == stride
        assert level.values.shape[-2:] == (HEIGHT // stride, WIDTH // stride)
    for name, stated in network.level_signatures.items():
        assert levels[name].values.shape[1] == stated.channels
    # A coarse cell is as large as two fine ones, and lies in their middle.
    assert levels["coarse"].offset == levels["fine"].offset + 2


@torch.inference_mode()
def test_fine_descriptors_are_the_three_levels_at_the_same_place(network):
    levels = features_of(network).levels
    fine = levels["fine"]
    row, column = 13, 22
    x, y = column * fine.stride + fine.offset, row * fine.stride + fine.offset
    parts = [bilinear(levels[name], x, y) for name in STRIDES]
    assert cosine_similarity(torch.cat(parts), fine.values[0, :, row, column], dim=0) > 1 - 1e-5


def bilinear(level, x: float, y: float) -> torch.Tensor:
    """A level's values (C,) at a pixel, between its four cells."""
    u, v = (x - level.offset) / level.stride, (y - level.offset) / level.stride
    left, top = int(u), int(v)
    a, b = u - left, v - top
    cells = level.values[0, :, top : top + 2, left : left + 2]
    upper = cells[:, 0, 0] * (1 - a) + cells[:, 0, 1] * a
    lower = cells[:, 1, 0] * (1 - a) + cells[:, 1, 1] * a
    return upper * (1 - b) + lower * b


def test_coarse_descriptors_are_the_mean_of_their_fine_cells_before_they_are_normalized():
    values = torch.rand(1, 3, 4, 6, generator=torch.Generator().manual_seed(0))
    levels = stacked_levels({"only": Layer(values, 4, 1.5)}, 4, 1.5, 2, 16, 24)
    mean = values[0, :, 2:4, 4:6].mean((1, 2))
    torch.testing.assert_close(levels["coarse"].values[0, :, 1, 2], mean / mean.norm())
    assert (levels["coarse"].stride, levels["coarse"].offset) == (8, 3.5)


def test_its_weights_are_those_that_were_exported_with_their_description():
    weights = S2dNetLite().default_weights()
    loaded = load_weights(S2dNetLite(), weights)
    assert loaded.is_trained
    description = json.loads(weights.with_suffix(".json").read_text())
    assert description["weights_sha256"] == loaded.sha256


@torch.inference_mode()
def test_points_find_themselves_in_another_light():
    extractor = create_extractor("s2dnet_lite", CPU)
    image = image_to_tensor(photograph("coffee"), CPU)[..., :240, :320]
    levels = [extractor(light).levels["fine"] for light in (image, 0.3 * image**1.5)]
    pixels = torch.cartesian_prod(torch.arange(40.0, 280, 16), torch.arange(40.0, 200, 16))
    maps = correlate(levels[0].sample(pixels), levels[1])
    found = best_matches(maps, levels[1])
    assert ((found - pixels).norm(dim=-1) <= 8).float().mean() > 0.8


def test_training_begins_with_the_trunk_of_compact():
    compact, network = Compact(), S2dNetLite()
    adapted = {name: value.clone() for name, value in network.adaptations.state_dict().items()}
    weights = compact.default_weights()
    load_weights(compact, weights)
    assert not load_weights(network, weights).is_trained
    for name, value in compact.trunk.state_dict().items():
        torch.testing.assert_close(network.trunk.state_dict()[name], value, rtol=0, atol=0)
    torch.testing.assert_close(network.global_head.weight, compact.global_head.weight)
    for name, value in network.adaptations.state_dict().items():
        torch.testing.assert_close(value, adapted[name], rtol=0, atol=0)


def test_it_does_not_match_with_the_weights_of_compact_alone():
    with pytest.raises(ConfigurationError, match="its own layers would be random"):
        create_extractor("s2dnet_lite", CPU, Compact().default_weights())
