"""The compact network and the weights of it that travel with the package."""

from __future__ import annotations

import hashlib
import json

import cv2
import pytest
import torch
from torch import Tensor, nn

from dense_reloc_ros.features.compact import Compact
from dense_reloc_ros.features.extractor import DenseFeatures, image_to_tensor
from dense_reloc_ros.features.weights import load_weights
from dense_reloc_ros.rendering.photographs import photograph

WEIGHTS = Compact().default_weights()
STRIDES = {"coarse": 16, "fine": 4}


@pytest.fixture(scope="module")
def network() -> Compact:
    """With the weights that ship."""
    network = Compact().eval()
    load_weights(network, WEIGHTS)
    return network


def picture(name: str, height: int, width: int) -> Tensor:
    """A photograph (1, 3, height, width)."""
    return image_to_tensor(cv2.resize(photograph(name), (width, height)), torch.device("cpu"))


class Tensors(nn.Module):
    """A network with plain tensors as its result, which is what exporters know."""

    def __init__(self, network: Compact) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        return tensors(self.network(images))


def tensors(features: DenseFeatures) -> tuple[Tensor, Tensor, Tensor]:
    coarse, fine = (features.levels[name].values for name in STRIDES)
    return coarse, fine, features.global_descriptor


def test_it_is_small_enough_for_a_robot():
    assert sum(parameter.numel() for parameter in Compact().parameters()) <= 3_000_000
    assert WEIGHTS.stat().st_size <= 12_000_000


def test_its_weights_are_those_that_were_exported_with_their_description():
    sha256 = hashlib.sha256(WEIGHTS.read_bytes()).hexdigest()
    loaded = load_weights(Compact(), WEIGHTS)
    assert loaded.is_trained
    assert loaded.sha256 == sha256
    description = json.loads(WEIGHTS.with_suffix(".json").read_text())
    assert description["weights_sha256"] == sha256


@pytest.mark.parametrize(("height", "width"), [(480, 640), (240, 320), (241, 323), (97, 50)])
@torch.inference_mode()
def test_images_of_any_size_have_whole_cells_only(network, height, width):
    features = network(picture("coffee", height, width))
    for name, stride in STRIDES.items():
        values = features.levels[name].values
        assert values.shape[-2:] == (height // stride, width // stride)
        assert torch.isfinite(values).all()
    assert torch.isfinite(features.global_descriptor).all()


@torch.inference_mode()
def test_half_precision_changes_little(network):
    images = picture("coffee", 240, 320)
    exact = tensors(network(images))
    with torch.autocast("cpu", torch.float16):
        mixed = tensors(network(images))
    for values, of_mixed in zip(exact, mixed, strict=True):
        assert (values * of_mixed.float()).sum(1).min() > 0.99
        torch.testing.assert_close(values.half().float(), values, atol=1e-3, rtol=0)


@torch.inference_mode()
def test_export_computes_the_same(network):
    example, other = (picture(name, 240, 320) for name in ("coffee", "brick"))
    exported = torch.export.export(Tensors(network), (example,)).module()
    for images in (example, other):
        for values, expected in zip(exported(images), tensors(network(images)), strict=True):
            torch.testing.assert_close(values, expected, atol=1e-5, rtol=0)
