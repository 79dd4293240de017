"""Weights from files: those of others under their own names, and everything that can be wrong."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from features.random_weights import random_state, vgg16_state, write_weights
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from dense_reloc_ros.errors import ConfigurationError
from dense_reloc_ros.features.network import FeatureNetwork
from dense_reloc_ros.features.nre_network import NreNetwork, coarse_trunk, fine_trunk
from dense_reloc_ros.features.s2dhm import S2dhm
from dense_reloc_ros.features.s2dnet import S2dNet
from dense_reloc_ros.features.weights import load_weights

ADAPTATION = "adaptation_layers.adap_layer_"


@pytest.fixture(scope="module")
def s2dnet() -> S2dNet:
    return S2dNet()


@pytest.fixture(scope="module")
def nre() -> NreNetwork:
    return NreNetwork()


@pytest.fixture(scope="module")
def published() -> dict[str, object]:
    """S2DNet's file, made of the modules that its names stand for."""

    def adaptation(channels: int) -> nn.Module:
        narrow, wide = nn.Conv2d(channels, 64, 1), nn.Conv2d(64, 128, 5, padding=2)
        return nn.Sequential(narrow, nn.ReLU(), wide, nn.BatchNorm2d(128))

    layers = enumerate((64, 256, 512))
    module = nn.ModuleDict({f"adap_layer_{i}": adaptation(channels) for i, channels in layers})
    state = {name.replace("features.", "encoder."): x for name, x in vgg16_state().items()}
    state |= {f"adaptation_layers.{name}": x for name, x in random_state(module, 1).items()}
    return {"state_dict": state, "hypercolumn_layers": ["conv1_2", "conv3_3", "conv5_3"]}


def write_nre(folder: Path, prefix: str = "") -> dict[str, nn.Sequential]:
    """NRE's two files, each of a sequential without names."""
    branches = {}
    for level, trunk, channels in (("coarse", coarse_trunk(), 1280), ("fine", fine_trunk(), 288)):
        convolution = nn.Conv2d(channels, channels, 1, bias=False)
        branch = nn.Sequential(*trunk, convolution, nn.BatchNorm2d(channels))
        branch.load_state_dict(random_state(branch))
        state = {prefix + name: value for name, value in branch.state_dict().items()}
        torch.save({"state_dict": state} if prefix else state, folder / f"{level}.pth")
        branches[level] = branch.eval()
    return branches


def assert_equal(network: nn.Module, state: dict[str, Tensor]) -> None:
    for name, value in network.state_dict().items():
        torch.testing.assert_close(value, state[name], rtol=0, atol=0)


def test_own_files_are_read_as_they_were_written(s2dnet, tmp_path):
    path = tmp_path / "weights.safetensors"
    written = S2dNet()
    written.load_state_dict(random_state(written, 2))
    write_weights(written, path)
    first = load_weights(s2dnet, path)
    assert first.is_trained
    assert_equal(s2dnet, written.state_dict())
    assert load_weights(s2dnet, path) == first
    written.adaptations["conv5_3"][3].bias.data += 1e-3
    write_weights(written, path)
    assert load_weights(s2dnet, path).sha256 != first.sha256


def test_published_s2dnet(s2dnet, published, tmp_path):
    torch.save(published, tmp_path / "s2dnet_weights.pth")
    assert load_weights(s2dnet, tmp_path / "s2dnet_weights.pth").is_trained
    state = published["state_dict"]
    for index, layer in enumerate(("conv1_2", "conv3_3", "conv5_3")):
        for name, value in s2dnet.adaptations[layer].state_dict().items():
            assert torch.equal(value, state[f"{ADAPTATION}{index}.{name}"])
    for name, value in s2dnet.trunk.layers.state_dict().items():
        assert torch.equal(value, state[f"encoder.{name}"])


@torch.inference_mode()
@pytest.mark.parametrize("prefix", ["", "cnn."])
def test_published_nre(nre, tmp_path, prefix):
    """A sequential of torchvision's blocks is the branch, whatever its layers are called."""
    branches = write_nre(tmp_path, prefix)
    assert load_weights(nre, tmp_path).is_trained
    nre.eval()
    images = torch.rand(1, 3, 40, 56)
    for level, branch in branches.items():
        torch.testing.assert_close(getattr(nre, level)(images), branch(images))


@pytest.mark.parametrize("create", [S2dhm, S2dNet])
def test_imagenets_vgg16_is_the_trunk_only(create, tmp_path):
    state = vgg16_state() | {"classifier.0.weight": torch.zeros(2, 2)}
    torch.save(state, tmp_path / "vgg16.pth")
    network = create()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    assert not load_weights(network, tmp_path / "vgg16.pth").is_trained
    for name, value in network.state_dict().items():
        key = name.replace("trunk.layers.", "features.")
        assert torch.equal(value, state[key] if key in state else before[name])


def test_older_files_without_counters_are_read(s2dnet, published, tmp_path):
    state = {k: v for k, v in published["state_dict"].items() if "num_batches" not in k}
    assert len(state) < len(published["state_dict"])
    torch.save({**published, "state_dict": state}, tmp_path / "old.pth")
    assert load_weights(s2dnet, tmp_path / "old.pth").is_trained


State = dict[str, Tensor]


def without(*names: str) -> Callable[[State], State]:
    return lambda state: {name: value for name, value in state.items() if name not in names}


def changed(name: str, change: Callable[[Tensor], Tensor]) -> Callable[[State], State]:
    return lambda state: {**state, name: change(state[name])}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (without("encoder.5.bias", "encoder.7.bias"), r"missing 'encoder\.5\.bias' and 1 more$"),
        (
            lambda s: {k.replace("adap_layer_2", "adap_layer_3"): v for k, v in s.items()},
            rf"missing '{ADAPTATION}2\.0\.weight' and 7 more, "
            rf"unexpected '{ADAPTATION}3\.0\.bias' and 8 more",
        ),
        (lambda s: {**s, "encoder.30.weight": s["encoder.0.weight"]}, "unexpected 'encoder.30.wei"),
        (
            changed("encoder.0.weight", lambda x: x[:, :1]),
            r"'encoder\.0\.weight' is \(64, 1, 3, 3\), expected \(64, 3, 3, 3\)",
        ),
        (
            changed("encoder.2.bias", lambda x: x / 0),
            r"'encoder\.2\.bias' has values that are not finite",
        ),
    ],
)
def test_tensors_that_are_wrong_are_named(s2dnet, published, tmp_path, change, message):
    before = {name: value.clone() for name, value in s2dnet.state_dict().items()}
    path = tmp_path / "weights.pth"
    torch.save({**published, "state_dict": change(published["state_dict"])}, path)
    with pytest.raises(ConfigurationError, match=message) as error:
        load_weights(s2dnet, path)
    assert str(error.value).startswith(f"{path}: ")
    assert_equal(s2dnet, before)


def test_weights_for_other_layers_are_refused(s2dnet, published, tmp_path):
    other = {**published, "hypercolumn_layers": ["conv1_2", "conv3_3", "conv5_1"]}
    torch.save(other, tmp_path / "weights.pth")
    with pytest.raises(ConfigurationError, match=r"hypercolumn layers: .*'conv5_1'\], expected"):
        load_weights(s2dnet, tmp_path / "weights.pth")


def test_weights_of_another_network_are_refused(s2dnet, nre, published, tmp_path):
    write_weights(s2dnet, tmp_path / "s2dnet.safetensors")
    with pytest.raises(ConfigurationError, match="its network: s2dnet, expected nre"):
        load_weights(nre, tmp_path / "s2dnet.safetensors")
    torch.save(published, tmp_path / "weights.pth")
    with pytest.raises(ConfigurationError, match=r"of nre: missing 'coarse\..*, unexpected 'adap"):
        load_weights(nre, tmp_path / "weights.pth")


def test_a_folder_needs_both_files(nre, tmp_path):
    write_nre(tmp_path)
    (tmp_path / "fine.pth").unlink()
    with pytest.raises(ConfigurationError, match=r"fine\.pth: No such file"):
        load_weights(nre, tmp_path)
    with pytest.raises(ConfigurationError, match=r"missing 'fine\.0\.conv\.weight'"):
        torch.save({}, tmp_path / "fine.pth")
        load_weights(nre, tmp_path)


class Bomb:
    """A pickle that runs code when it is read."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[object, ...]:
        return (Path.touch, (self.target,))


def test_code_in_a_file_is_not_run(s2dnet, published, tmp_path):
    path = tmp_path / "weights.pth"
    torch.save({**published, "bonus": Bomb(tmp_path / "harmed")}, path)
    with pytest.raises(ConfigurationError, match=r"weights\.pth: not a file of weights"):
        load_weights(s2dnet, path)
    assert not (tmp_path / "harmed").exists()
    torch.load(path, weights_only=False)
    assert (tmp_path / "harmed").exists()


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.999])
def test_truncated_files_are_refused(tmp_path, suffix, share):
    network = FeatureNetworkOfOneLayer()
    path = tmp_path / f"weights{suffix}"
    if suffix == ".pth":
        torch.save(network.state_dict(), path)
    else:
        write_weights(network, path)
    load_weights(network, path)
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(ConfigurationError, match=f"weights{suffix}: not a file of weights"):
        load_weights(network, path)


@pytest.mark.parametrize("content", [[1, 2], torch.zeros(3), {"a": 1.0}, {1: torch.zeros(2)}, None])
def test_other_content_is_refused(tmp_path, content):
    torch.save(content, tmp_path / "weights.pth")
    with pytest.raises(ConfigurationError, match=r"weights\.pth: not tensors by name"):
        load_weights(FeatureNetworkOfOneLayer(), tmp_path / "weights.pth")


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
@given(content=st.binary(max_size=200))
@example(content=b"these are no weights")
@settings(max_examples=50)
def test_any_bytes_are_refused(tmp_path_factory, suffix, content):
    path = tmp_path_factory.getbasetemp() / f"any{suffix}"
    path.write_bytes(content)
    with pytest.raises(ConfigurationError, match=f"any{suffix}: not a file of weights"):
        load_weights(FeatureNetworkOfOneLayer(), path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ConfigurationError, match=r"gone\.pth: No such file"):
        load_weights(FeatureNetworkOfOneLayer(), tmp_path / "gone.pth")


class FeatureNetworkOfOneLayer(FeatureNetwork):
    name = "one_layer"

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Conv2d(3, 64, 3)

    @property
    def level_signatures(self):
        return {}

    def forward(self, images):
        raise NotImplementedError
