from __future__ import annotations

import hashlib
import json

import pytest
import torch
from safetensors import safe_open
from training.tiny import TinyNetwork

from dense_reloc_ros.errors import TrainingError
from dense_reloc_ros.features.weights import load_weights
from dense_reloc_ros.training.export import TrainedNetwork, export
from dense_reloc_ros.training.run_progress import CurvePoint

CONFIGURATION = "network: tiny\ndata: [{source: {kind: warps, pictures: [coffee]}}]\n"


def trained(network: TinyNetwork) -> TrainedNetwork:
    return TrainedNetwork(
        network="tiny",
        state=network.state_dict(),
        configuration=CONFIGURATION,
        steps=20,
        minutes=1.26,
        device="cpu",
        revision="abc",
        curve=[CurvePoint(0, 0.0, {"loss": 2.0}), CurvePoint(20, 1.0, {"loss": 0.5})],
        validation={"loss": 0.5},
    )


@pytest.mark.parametrize("half", [False, True])
def test_networks_read_what_was_exported(tmp_path, half):
    network = TinyNetwork()
    network.norm.running_var.fill_(1e-9)  # nothing is left of it in float16
    path = export(trained(network), tmp_path / "weights", half)
    other = TinyNetwork()
    loaded = load_weights(other, path)
    assert loaded.is_trained
    assert loaded.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    for name, value in network.state_dict().items():
        exact = not half or value.ndim < 2
        got = other.state_dict()[name]
        assert torch.equal(got, value if exact else value.half().float()), name
    with safe_open(path, framework="pt") as file:
        assert file.metadata() == {"network": "tiny"}
        assert file.get_tensor("fine.weight").dtype == (torch.float16 if half else torch.float32)


def test_what_lies_beside_the_weights(tmp_path):
    path = export(trained(TinyNetwork()), tmp_path)
    assert sorted(file.name for file in tmp_path.iterdir()) == [
        "tiny.csv",
        "tiny.json",
        "tiny.safetensors",
        "tiny.yaml",
    ]
    assert (tmp_path / "tiny.yaml").read_text() == CONFIGURATION
    assert (tmp_path / "tiny.csv").read_text() == "step,minutes,loss\n0,0.00,2\n20,1.00,0.5\n"
    description = json.loads((tmp_path / "tiny.json").read_text())
    assert description["weights_sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert description["data"] == [{"source": {"kind": "warps", "pictures": ["coffee"]}}]
    assert description["steps"] == 20
    assert description["git_revision"] == "abc"
    assert description["validation"] == {"loss": 0.5}


def test_weights_that_float16_cannot_hold_are_not_exported(tmp_path):
    network = TinyNetwork()
    with torch.no_grad():
        network.fine.weight[0, 0, 0, 0] = 1e5
    export(trained(network), tmp_path / "single")
    with pytest.raises(TrainingError, match=r"fine.weight: not finite as float16"):
        export(trained(network), tmp_path / "half", half=True)
    assert not (tmp_path / "half").exists()
