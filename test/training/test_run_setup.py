from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
import yaml
from safetensors.torch import save_file
from training.data.clean_pairs import small_room
from training.scenes import small_scenes

from dense_reloc_ros.dsm.scene_matcher import create_scene_matcher
from dense_reloc_ros.features.extractors import create_extractor
from dense_reloc_ros.features.s2dhm import S2dhm
from dense_reloc_ros.neurhal.hallucinator_weights import create_hallucinator
from dense_reloc_ros.training import run_setup
from dense_reloc_ros.training.checkpoints import Checkpoints
from dense_reloc_ros.training.data import rooms
from dense_reloc_ros.training.data.overlap_places import OverlapRoomsConfiguration
from dense_reloc_ros.training.data.sources import RoomDepthsConfiguration
from dense_reloc_ros.training.data.warps import WarpsConfiguration
from dense_reloc_ros.training.logs import TrainingLog
from dense_reloc_ros.training.optimization import ConstantSchedule, OptimizerConfiguration
from dense_reloc_ros.training.run_progress import Ending
from dense_reloc_ros.training.run_setup import create_trainer
from dense_reloc_ros.training.training_configuration import (
    PLACEHOLDER,
    RunConfiguration,
    TrainingConfiguration,
    WeightedData,
    load_training_configuration,
)

FOLDER = Path(__file__).parents[2] / "config/training"
CPU = torch.device("cpu")


NAMES = sorted(path.stem for path in FOLDER.glob("*.yaml"))
SCENES = [name for name in NAMES if name.startswith("dsm")]


HALLUCINATIONS = [name for name in NAMES if name.startswith("neurhal")]
FEATURES = [name for name in NAMES if name not in (*SCENES, *HALLUCINATIONS, "deviloc")]


def small(name: str, **changes) -> TrainingConfiguration:
    """A configuration that ships, for one step on tiny images of what scikit-image brings."""
    path = FOLDER / f"{name}.yaml"
    names = PLACEHOLDER.findall(path.read_text())
    whole = load_training_configuration(path, dict.fromkeys(names, "/nowhere"))
    data = (WeightedData(source=WarpsConfiguration(pictures=("coffee", "astronaut"))),)
    data = changes.pop("data", data)
    assert whole.validation is not None
    return whole.model_copy(
        update={
            "initial_weights": None,
            "image_size": (128, 160),
            "data": data,
            "validation": whole.validation.model_copy(update={"data": data, "pairs": 2}),
            "run": whole.run.model_copy(update={"steps": 1, "workers": 0}),
            **changes,
        }
    )


@pytest.mark.parametrize("name", FEATURES)
def test_configurations_of_features_that_ship_train(name, tmp_path, monkeypatch):
    monkeypatch.setattr(run_setup, "FIRST_IMAGES", 8)
    assert_trains(small(name), tmp_path)


@pytest.mark.parametrize("name", SCENES)
def test_configurations_of_scene_matchers_that_ship_train(name, tmp_path, scenes):
    assert_trains(small(name, data=scenes, batch_size=2, accumulation=1), tmp_path)


def test_point_inference_trains_and_remembers_its_features(tmp_path, scenes):
    few = {"rooms": 1, "frames": 8, "width": 160, "height": 128}
    source = RoomDepthsConfiguration(cache=tmp_path / "depths", **few)
    configuration = small("deviloc", data=(WeightedData(source=source),), points=32)
    assert_trains(configuration, tmp_path)
    network = create_trainer(configuration, Checkpoints(tmp_path), CPU).network
    assert network.knows(create_extractor("compact", CPU).signature)


@pytest.mark.parametrize("name", HALLUCINATIONS)
def test_configurations_of_neurhal_that_ship_train(name, tmp_path, overlaps):
    assert_trains(small(name, data=overlaps, image_size=(96, 128), batch_size=2), tmp_path)


@pytest.fixture
def overlaps(tmp_path, scenes) -> tuple[WeightedData, ...]:
    """Views of the same small room that overlap little."""
    few = {"rooms": 1, "frames": 12, "width": 96, "height": 72}
    return (WeightedData(source=OverlapRoomsConfiguration(cache=tmp_path / "rooms", **few)),)


def test_runs_of_neurhal_go_on_bit_by_bit_and_leave_the_frozen_part_alone(tmp_path, overlaps):
    states = []
    for parts in ((3,), (1, 3)):
        folder = tmp_path / str(len(parts))
        folder.mkdir()
        for number, steps in enumerate(parts):
            configuration = small(
                "neurhal_compact",
                data=overlaps,
                image_size=(96, 128),
                batch_size=2,
                schedule=ConstantSchedule(),
                validation=None,
                run=RunConfiguration(steps=steps, workers=0),
            )
            trainer = create_trainer(configuration, Checkpoints(folder), CPU, resume=number > 0)
            with TrainingLog(folder, trainer.progress.step, steps) as log:
                assert trainer.run(log, lambda: False) is Ending.STEPS
            torch.manual_seed(number)
        states.append(trainer.network.state_dict())
    for name, value in states[0].items():
        assert torch.equal(value, states[1][name]), name
    torch.manual_seed(configuration.seed)
    begun = create_hallucinator("neurhal_compact").state_dict()
    assert not any("trunk" in name for name in begun)
    changed = {name for name, value in begun.items() if not torch.equal(value, states[0][name])}
    assert "padding.vector" in changed
    assert "backbone.features_sha256" not in changed


def test_neurhal_validates_by_task(tmp_path, overlaps):
    configuration = small("neurhal_compact", data=overlaps, image_size=(96, 128), batch_size=2)
    trainer = create_trainer(configuration, Checkpoints(tmp_path), CPU)
    with TrainingLog(tmp_path, 0, 1) as log:
        trainer.run(log, lambda: False)
    metrics = trainer.progress.curve[0].metrics
    assert {"loss", "nre/outpaint", "error_px/outpaint"} <= metrics.keys()
    assert metrics["uniform"] == pytest.approx(math.log(12 * 16))


@pytest.fixture
def scenes(tmp_path, monkeypatch) -> tuple[WeightedData, ...]:
    """A small room, in the same light always."""
    monkeypatch.setattr(rooms, "random_room", lambda _: small_room())
    monkeypatch.setattr(rooms, "relit", lambda room, _: room)
    return (WeightedData(source=small_scenes(tmp_path / "rooms")),)


def assert_trains(configuration: TrainingConfiguration, folder: Path) -> None:
    trainer = create_trainer(configuration, Checkpoints(folder), CPU)
    before = {key: value.clone() for key, value in trainer.network.state_dict().items()}
    with TrainingLog(folder, 0, 1) as log:
        assert trainer.run(log, lambda: False) is Ending.STEPS
    after = trainer.network.state_dict()
    assert any(not torch.equal(after[key], before[key]) for key in before)
    assert all(torch.isfinite(value).all() for value in after.values())


def test_runs_of_scene_matchers_go_on_bit_by_bit_and_leave_the_trunk_alone(tmp_path, scenes):
    states = []
    for parts in ((3,), (1, 3)):
        folder = tmp_path / str(len(parts))
        folder.mkdir()
        for number, steps in enumerate(parts):
            run = RunConfiguration(steps=steps, workers=0)
            configuration = small(
                "dsm_compact",
                data=scenes,
                batch_size=2,
                optimizer=OptimizerConfiguration(trunk_factor=0),
                schedule=ConstantSchedule(),
                validation=None,
                run=run,
            )
            trainer = create_trainer(configuration, Checkpoints(folder), CPU, resume=number > 0)
            with TrainingLog(folder, trainer.progress.step, steps) as log:
                assert trainer.run(log, lambda: False) is Ending.STEPS
            torch.manual_seed(number)
        states.append(trainer.network.state_dict())
    for name, value in states[0].items():
        assert torch.equal(value, states[1][name]), name
    torch.manual_seed(configuration.seed)
    begun = create_scene_matcher("dsm_compact").state_dict()
    changed = {name for name, value in begun.items() if not torch.equal(value, states[0][name])}
    assert changed and not any(name.startswith("features.") for name in changed)


def test_scene_matchers_validate_how_well_they_localize(tmp_path, scenes):
    configuration = small("dsm_compact", data=scenes)
    trainer = create_trainer(configuration, Checkpoints(tmp_path), CPU)
    with TrainingLog(tmp_path, 0, 1) as log:
        trainer.run(log, lambda: False)
    metrics = trainer.progress.curve[0].metrics
    assert {"loss", "coordinates_median_m", "pose_5cm_5deg"} <= metrics.keys()
    assert metrics["stride_8/coordinates"] > 0
    assert not any(math.isnan(value) for value in metrics.values())


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("compact", "dsm_compact"),
        ("dsm_compact", "deviloc"),
        ("deviloc", "compact"),
        ("neurhal_compact", "dsm_compact"),
        ("compact", "neurhal_compact"),
    ],
)
def test_data_of_another_kind_is_refused(name, other):
    values = yaml.safe_load((FOLDER / f"{name}.yaml").read_text())
    data = yaml.safe_load((FOLDER / f"{other}.yaml").read_text())["data"]
    with pytest.raises(ValueError, match="room_scenes"):
        TrainingConfiguration.model_validate({**values, "data": data})


@pytest.fixture
def few_images(monkeypatch):
    monkeypatch.setattr(run_setup, "FIRST_IMAGES", 4)


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
