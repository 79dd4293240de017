from __future__ import annotations

import pytest
import torch
from safetensors.torch import save_file
from torchvision.models import resnet50

from dense_reloc_ros.dsm.pyramid import CompactPyramid, ResNetPyramid
from dense_reloc_ros.dsm.scene_matcher import create_scene_matcher
from dense_reloc_ros.errors import ConfigurationError
from dense_reloc_ros.features.compact import Compact
from dense_reloc_ros.features.weights import load_weights


@pytest.mark.parametrize("kind", [CompactPyramid, ResNetPyramid])
def test_levels_have_their_strides_and_unit_length(kind):
    pyramid = kind().eval()
    with torch.no_grad():
        levels = pyramid(torch.rand(2, 3, 96, 128, generator=torch.Generator().manual_seed(0)))
    assert list(pyramid.strides) == sorted(pyramid.strides, reverse=True)
    for level, stride, channels in zip(levels, pyramid.strides, pyramid.channels, strict=True):
        assert level.shape == (2, channels, 96 // stride, 128 // stride)
        torch.testing.assert_close(level.norm(dim=1), torch.ones_like(level[:, 0]))


def test_compact_matches_where_its_cells_say():
    """An image moved by whole cells gives the same features, moved."""
    pyramid = CompactPyramid().eval()
    image = torch.rand(1, 3, 24, 32, generator=torch.Generator().manual_seed(0))
    image = torch.nn.functional.interpolate(image, scale_factor=8, mode="bicubic").clamp(0, 1)
    with torch.no_grad():
        here, there = pyramid(image), pyramid(image.roll(32, dims=3))
    for level, stride in zip(range(2), pyramid.strides, strict=True):
        cells = 32 // stride
        margin = 64 // stride
        similar = (here[level][..., :-cells] * there[level][..., cells:]).sum(1)
        assert similar[..., margin:-margin].mean() > 0.98


def test_the_compact_variant_begins_with_the_weights_of_compact(tmp_path):
    torch.manual_seed(0)
    compact = Compact()
    with torch.no_grad():
        compact.coarse_middle.weight.normal_()
    save_file(compact.state_dict(), tmp_path / "compact.safetensors", {"network": "compact"})
    matcher = create_scene_matcher("dsm_compact")
    before = matcher.levels[0].coordinates.enter.weight.clone()
    assert not load_weights(matcher, tmp_path / "compact.safetensors").is_trained
    assert torch.equal(matcher.features.compact.coarse_middle.weight, compact.coarse_middle.weight)
    assert torch.equal(matcher.levels[0].coordinates.enter.weight, before)


def test_the_papers_variant_begins_with_torchvisions_resnet(tmp_path):
    torch.manual_seed(0)
    resnet = resnet50(weights=None)
    torch.save(resnet.state_dict(), tmp_path / "resnet50.pth")
    matcher = create_scene_matcher("dsm")
    assert not load_weights(matcher, tmp_path / "resnet50.pth").is_trained
    body = matcher.features.backbone.body
    assert torch.equal(body.layer3[2].conv2.weight, resnet.layer3[2].conv2.weight)
    assert torch.equal(body.bn1.running_var, resnet.bn1.running_var)
    trunk = {id(parameter) for parameter in matcher.trunk_parameters()}
    assert id(body.conv1.weight) in trunk
    assert not trunk & {id(parameter) for parameter in matcher.features.backbone.fpn.parameters()}


@pytest.mark.parametrize("variant", ["dsm", "dsm_compact"])
def test_weights_of_a_variant_come_back(variant, tmp_path):
    torch.manual_seed(0)
    saved, loaded = create_scene_matcher(variant), create_scene_matcher(variant)
    save_file(saved.state_dict(), tmp_path / "file.safetensors", {"network": variant})
    assert load_weights(loaded, tmp_path / "file.safetensors").is_trained
    for name, value in loaded.state_dict().items():
        assert torch.equal(value, saved.state_dict()[name]), name


def test_weights_of_the_other_variant_are_refused(tmp_path):
    save_file(
        create_scene_matcher("dsm_compact").state_dict(),
        tmp_path / "file.safetensors",
        {"network": "dsm_compact"},
    )
    with pytest.raises(ConfigurationError, match="dsm"):
        load_weights(create_scene_matcher("dsm"), tmp_path / "file.safetensors")
