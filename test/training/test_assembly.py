from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from dense_reloc_ros.features.s2dhm import S2dhm
from dense_reloc_ros.training import assembly
from dense_reloc_ros.training.assembly import create_trainer
from dense_reloc_ros.training.checkpoints import Checkpoints
from dense_reloc_ros.training.configuration import (
    PLACEHOLDER,
    TrainingConfiguration,
    WeightedData,
    load_training_configuration,
)
from dense_reloc_ros.training.data.warps import WarpsConfiguration
from dense_reloc_ros.training.logs import TrainingLog
from dense_reloc_ros.training.progress import Ending

FOLDER = Path(__file__).parents[2] / "config/training"
CPU = torch.device("cpu")


def small(name: str, **changes) -> TrainingConfiguration:
    """A configuration that ships, for one step on tiny images of what scikit-image brings."""
    path = FOLDER / f"{name}.yaml"
    names = PLACEHOLDER.findall(path.read_text())
    whole = load_training_configuration(path, dict.fromkeys(names, "/nowhere"))
    pictures = (WeightedData(source=WarpsConfiguration(pictures=("coffee", "astronaut"))),)
    assert whole.validation is not None
    return whole.model_copy(
        update={
            "initial_weights": None,
            "image_size": (128, 160),
            "data": pictures,
            "validation": whole.validation.model_copy(update={"data": pictures, "pairs": 2}),
            "run": whole.run.model_copy(update={"steps": 1, "workers": 0}),
            **changes,
        }
    )


@pytest.mark.parametrize("name", sorted(path.stem for path in FOLDER.glob("*.yaml")))
def test_configurations_that_ship_train(name, tmp_path, monkeypatch):
    monkeypatch.setattr(assembly, "FIRST_IMAGES", 8)
    trainer = create_trainer(small(name), Checkpoints(tmp_path), CPU)
    before = {key: value.clone() for key, value in trainer.network.state_dict().items()}
    with TrainingLog(tmp_path, 0, 1) as log:
        assert trainer.run(log, lambda: False) is Ending.STEPS
    after = trainer.network.state_dict()
    assert any(not torch.equal(after[key], before[key]) for key in before)
    assert all(torch.isfinite(value).all() for value in after.values())


@pytest.fixture
def few_images(monkeypatch):
    monkeypatch.setattr(assembly, "FIRST_IMAGES", 4)


def test_netvlad_is_fitted_unless_weights_say_what_it_is(few_images, tmp_path):
    trainer = create_trainer(small("s2dhm"), Checkpoints(tmp_path), CPU)
    torch.manual_seed(0)
    random = S2dhm()
    assert torch.equal(
        trainer.network.state_dict()["trunk.layers.0.weight"],
        random.state_dict()["trunk.layers.0.weight"],
    )
    fitted = trainer.network.netvlad.netvlad.centres
    assert not torch.equal(fitted, random.netvlad.netvlad.centres)

    save_file(random.state_dict(), tmp_path / "s2dhm.safetensors", {"network": "s2dhm"})
    configuration = small("s2dhm", initial_weights=tmp_path / "s2dhm.safetensors", seed=1)
    trainer = create_trainer(configuration, Checkpoints(tmp_path), CPU)
    for name, value in trainer.network.state_dict().items():
        assert torch.equal(value, random.state_dict()[name]), name


def test_random_weights_follow_from_the_seed(tmp_path):
    first, same, other = (
        create_trainer(small("compact", seed=seed), Checkpoints(tmp_path), CPU).network
        for seed in (1, 1, 2)
    )
    name = "coarse_large.weight"
    assert torch.equal(first.state_dict()[name], same.state_dict()[name])
    assert not torch.equal(first.state_dict()[name], other.state_dict()[name])
