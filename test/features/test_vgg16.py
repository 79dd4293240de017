"""VGG-16: the right five layers, and weights that are there or not."""

from __future__ import annotations

from pathlib import Path
from urllib.error import URLError

import pytest
import torch
from features.random_vgg16 import random_vgg16_weights
from torchvision.models import vgg16

from dense_reloc_ros.errors import ConfigurationError
from dense_reloc_ros.features.trunk import weights_sha256
from dense_reloc_ros.features.vgg16 import Vgg16, imagenet_weights

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def weights(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "vgg16.pth"
    random_vgg16_weights(path)
    return path


@pytest.fixture
def torch_home(tmp_path, monkeypatch) -> Path:
    """An empty cache of torch, and no network."""

    def fail(*arguments: object, **options: object) -> None:
        raise URLError("no route to host")

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(torch.hub, "download_url_to_file", fail)
    return tmp_path


@torch.inference_mode()
def test_the_layers_are_those_that_the_thesis_names(weights):
    with torch.device("meta"):
        network = vgg16().features
    state = torch.load(weights, weights_only=True)
    network.load_state_dict({k.removeprefix("features."): v for k, v in state.items()}, assign=True)
    images = torch.randn(1, 3, 64, 96, generator=torch.Generator().manual_seed(0))
    names, block, convolution = {}, 1, 0
    x = images
    for layer in network:
        if isinstance(layer, torch.nn.MaxPool2d):
            block, convolution = block + 1, 0
        if isinstance(layer, torch.nn.Conv2d):
            convolution += 1
            names[f"conv_{block}_{convolution}"] = layer(x)
        x = layer(x)
    outputs = list(Vgg16(CPU, weights).outputs(images).values())
    wanted = ("conv_3_3", "conv_4_1", "conv_4_3", "conv_5_1", "conv_5_3")
    for name, output in zip(wanted, outputs, strict=True):
        torch.testing.assert_close(output, names[name], atol=1e-3, rtol=1e-3)


def test_the_signature_knows_the_weights(weights):
    signature = Vgg16(CPU, weights).signature
    assert signature.network == "vgg16"
    assert signature.weights_sha256 == weights_sha256(weights)


@pytest.mark.parametrize(
    "content", [{"a": torch.zeros(2)}, [1, 2], {"features.0.weight": torch.zeros(2)}, None]
)
def test_files_with_anything_else_are_refused(tmp_path, content):
    path = tmp_path / "weights.pth"
    if content is None:
        path.write_bytes(b"not a file of torch")
    else:
        torch.save(content, path)
    with pytest.raises(ConfigurationError, match=r"weights\.pth: these are not the weights"):
        Vgg16(CPU, path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ConfigurationError, match=r"gone\.pth: No such file"):
        Vgg16(CPU, tmp_path / "gone.pth")


def test_without_a_network_one_is_told_where_to_put_the_weights(torch_home):
    with pytest.raises(ConfigurationError, match=r"no route to host.*put it at") as error:
        Vgg16(CPU)
    assert str(torch_home) in str(error.value)


def test_weights_in_the_cache_are_used(torch_home, weights):
    path = torch_home / "hub/checkpoints/vgg16-397923af.pth"
    path.parent.mkdir(parents=True)
    path.symlink_to(weights)
    assert imagenet_weights() == path
    assert Vgg16(CPU).signature.weights_sha256 == weights_sha256(weights)
