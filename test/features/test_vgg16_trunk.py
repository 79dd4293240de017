"""VGG-16: the right layers, and ImageNet's weights that are there or not."""

from __future__ import annotations

from pathlib import Path
from urllib.error import URLError

import pytest
import torch
from features.random_weights import vgg16_state
from torchvision.models import vgg16

from dense_reloc_ros.errors import ConfigurationError
from dense_reloc_ros.features.vgg16_trunk import LAYER_CHANNELS, Vgg16Trunk, imagenet_weights


@pytest.fixture
def torch_home(tmp_path, monkeypatch) -> Path:
    """An empty cache of torch, and no network."""

    def fail(*arguments: object, **options: object) -> None:
        raise URLError("no route to host")

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(torch.hub, "download_url_to_file", fail)
    return tmp_path


@torch.inference_mode()
def test_the_layers_are_those_that_the_theses_name():
    with torch.device("meta"):
        network = vgg16().features
    state = {name.removeprefix("features."): value for name, value in vgg16_state().items()}
    network.load_state_dict(state, assign=True)
    trunk = Vgg16Trunk()
    trunk.layers.load_state_dict({name: state[name] for name in trunk.layers.state_dict()})
    images = torch.randn(1, 3, 48, 64, generator=torch.Generator().manual_seed(0))
    expected, block, convolution = {}, 1, 0
    x = images
    for layer in network:
        if isinstance(layer, torch.nn.MaxPool2d):
            block, convolution = block + 1, 0
        if isinstance(layer, torch.nn.Conv2d):
            convolution += 1
            expected[f"conv{block}_{convolution}"] = layer(x)
        x = layer(x)
    found = trunk(images, tuple(LAYER_CHANNELS))
    assert list(found) == list(LAYER_CHANNELS)
    for name, layer in found.items():
        torch.testing.assert_close(layer.values, expected[name], atol=1e-3, rtol=1e-3)
        assert layer.values.shape[1] == LAYER_CHANNELS[name]
        assert layer.stride == 48 // layer.values.shape[2]


def test_deeper_layers_than_wanted_are_not_computed():
    trunk = Vgg16Trunk()
    computed = []
    for index, layer in enumerate(trunk.layers):
        layer.register_forward_hook(lambda *_, index=index: computed.append(index))
    trunk(torch.rand(1, 3, 16, 16), ("conv1_2",))
    assert computed == [0, 1, 2]


def test_without_a_network_one_is_told_where_to_put_the_weights(torch_home):
    with pytest.raises(ConfigurationError, match=r"no route to host.*put it at") as error:
        imagenet_weights()
    assert str(torch_home) in str(error.value)


def test_weights_in_the_cache_are_used(torch_home):
    path = torch_home / "hub/checkpoints/vgg16-397923af.pth"
    path.parent.mkdir(parents=True)
    path.touch()
    assert imagenet_weights() == path
