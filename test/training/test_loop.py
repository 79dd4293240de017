from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from training.tiny import TinyLoss, TinyNetwork, TinySource

from dense_reloc_ros.errors import ConfigurationError, InputError, TrainingError
from dense_reloc_ros.training.checkpoints import Checkpoints, read_checkpoint, write_checkpoint
from dense_reloc_ros.training.feature_matching import Matches, features_of_pairs
from dense_reloc_ros.training.logs import TrainingLog
from dense_reloc_ros.training.loop import Trainer
from dense_reloc_ros.training.objective import Objective
from dense_reloc_ros.training.optimization import CosineSchedule, OptimizerConfiguration
from dense_reloc_ros.training.run_progress import Ending
from dense_reloc_ros.training.training_configuration import (
    RunConfiguration,
    TrainingConfiguration,
    ValidationConfiguration,
)
from dense_reloc_ros.training.validator import Validator

CPU = torch.device("cpu")


def configured(run: dict[str, Any], **blocks: Any) -> TrainingConfiguration:
    """Without data and losses: these tests bring their own."""
    return TrainingConfiguration.model_construct(
        **{
            "network": "tiny",
            "seed": 3,
            "batch_size": 2,
            "accumulation": 2,
            "optimizer": OptimizerConfiguration(
                learning_rate=0.01, trunk_factor=0.1, weight_decay=0.01, largest_gradient=1.0
            ),
            "schedule": CosineSchedule(warmup=2),
            "validation": None,
            "run": RunConfiguration(**{"workers": 0, **run}),
            **blocks,
        }
    )


def make_trainer(
    configuration: TrainingConfiguration, folder: Path, source: TinySource | None = None
) -> Trainer:
    torch.manual_seed(configuration.seed)
    network = TinyNetwork()
    return Trainer(
        configuration,
        network,
        Objective([TinyLoss()], [0.7], features_of_pairs),
        source or TinySource(),
        Validator(TinySource(), 5, 2, workers=0, metrics=Matches),
        Checkpoints(folder),
        CPU,
    )


def train(trainer: Trainer, folder: Path, interrupted=lambda: False) -> Ending:
    with TrainingLog(folder, trainer.progress.step, 100) as log:
        return trainer.run(log, interrupted)


class AfterCalls:
    """Says yes from the nth question on."""

    def __init__(self, calls: int) -> None:
        self.left = calls

    def __call__(self) -> bool:
        self.left -= 1
        return self.left < 0


def without_time(state: dict[str, Any]) -> dict[str, Any]:
    progress = state["progress"]
    curve = [{**point, "minutes": 0.0} for point in progress["curve"]]
    return {**state, "progress": {**progress, "seconds": 0.0, "curve": curve}}


def assert_same(a: Any, b: Any, where: str = "") -> None:
    """Equal values and, bit for bit, equal tensors."""
    assert type(a) is type(b), where
    if isinstance(a, torch.Tensor):
        assert torch.equal(a, b), where
    elif isinstance(a, dict):
        assert a.keys() == b.keys(), where
        for key in a:
            assert_same(a[key], b[key], f"{where}/{key}")
    elif isinstance(a, list | tuple):
        assert len(a) == len(b), where
        for index, (left, right) in enumerate(zip(a, b, strict=True)):
            assert_same(left, right, f"{where}/{index}")
    else:
        assert a == b, where


VALIDATION = ValidationConfiguration.model_construct(
    data=(), pairs=5, every=2, metric="loss", patience=None
)


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_interrupted_runs_go_on_bit_by_bit_as_if_nothing_had_happened(tmp_path, workers, optimizer):
    configuration = configured(
        {"steps": 7, "workers": workers},
        validation=VALIDATION,
        optimizer=OptimizerConfiguration(name=optimizer, learning_rate=0.01, trunk_factor=0.1),
    )
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    whole.mkdir(), parts.mkdir()
    assert train(make_trainer(configuration, whole), whole) is Ending.STEPS

    # Wherever it is interrupted: while it validates, too.
    for calls in (3, 9, 6):
        trainer = make_trainer(configuration, parts)
        if (parts / "last.pt").exists():
            trainer.resume()
        torch.manual_seed(calls)  # another process has other random numbers
        assert train(trainer, parts, AfterCalls(calls)) is Ending.INTERRUPTED
    stopped_at = read_checkpoint(parts / "last.pt")["progress"]["step"]
    assert 0 < stopped_at < 7
    trainer = make_trainer(configuration, parts)
    trainer.resume()
    assert train(trainer, parts) is Ending.STEPS

    expected, resumed = (read_checkpoint(folder / "last.pt") for folder in (whole, parts))
    assert_same(without_time(expected), without_time(resumed))
    best = [read_checkpoint(folder / "best.pt")["network"] for folder in (whole, parts)]
    assert_same(*best)
    assert [point["step"] for point in expected["progress"]["curve"]] == [0, 2, 4, 6, 7]
    assert expected["objective"]["losses.0.memory"].any()
    assert expected["objective"]["losses.0.log_temperature"] != 0
    assert expected["network"]["norm.num_batches_tracked"] == 7 * 2


def test_workers_change_nothing(tmp_path):
    states = []
    for workers in (0, 1, 2):
        folder = tmp_path / str(workers)
        folder.mkdir()
        train(make_trainer(configured({"steps": 3, "workers": workers}), folder), folder)
        states.append(without_time(read_checkpoint(folder / "last.pt")))
    assert_same(states[0], states[1])
    assert_same(states[0], states[2])


def test_another_seed_gives_another_run(tmp_path):
    states = []
    for seed in (3, 4):
        folder = tmp_path / str(seed)
        folder.mkdir()
        trainer = make_trainer(configured({"steps": 1}, seed=seed), folder)
        trainer.network.load_state_dict(TinyNetwork().state_dict() | fixed_weights())
        train(trainer, folder)
        states.append(read_checkpoint(folder / "last.pt")["network"]["fine.weight"])
    assert not torch.equal(*states)


def fixed_weights() -> dict[str, torch.Tensor]:
    random = torch.Generator().manual_seed(0)
    return {
        name: torch.randn(value.shape, generator=random)
        for name, value in TinyNetwork().named_parameters()
    }


def test_a_step_is_the_accumulated_gradient(tmp_path):
    """Against plain SGD written out for all pairs of a step at once."""
    configuration = configured(
        {"steps": 1},
        optimizer=OptimizerConfiguration(
            name="sgd", learning_rate=0.1, momentum=0.0, trunk_factor=0.5
        ),
        schedule=CosineSchedule(warmup=0),
    )
    trainer = make_trainer(configuration, tmp_path)
    for module in trainer.network.modules():  # parts of a step have the same statistics
        if isinstance(module, torch.nn.BatchNorm2d | torch.nn.Dropout):
            module.train = lambda mode=True: None  # type: ignore[method-assign]
            module.training = False
    before = {name: value.clone() for name, value in trainer.network.state_dict().items()}
    reference = TinyNetwork().eval()
    reference.load_state_dict(before)
    train(trainer, tmp_path)

    from dense_reloc_ros.training.batches import training_numbers
    from dense_reloc_ros.training.examples import PairBatch
    from dense_reloc_ros.training.reproducibility import seed_step

    seed_step(3, 0)
    loss = TinyLoss().train()
    for batch_number in range(2):
        numbers = training_numbers(3, batch_number, 2)
        batch = PairBatch.batch([TinySource().pair(number) for number in numbers])
        value = loss(reference(batch.source_image), reference(batch.target_image), batch)
        (0.7 * value.total / 2).backward()
    after = trainer.network.state_dict()
    for name, parameter in reference.named_parameters():
        rate = 0.05 if name.startswith("trunk") else 0.1
        torch.testing.assert_close(after[name], before[name] - rate * parameter.grad)


def test_loss_that_is_not_finite_ends_the_run_and_keeps_the_last_checkpoint(tmp_path):
    # Batch 5 (from 0) is the second of step 2; its pairs begin at number 10 of the seed's.
    broken = 3 * (1 << 32) + 11
    trainer = make_trainer(
        configured({"steps": 9, "checkpoint_every": 1}), tmp_path, TinySource(broken=broken)
    )
    with pytest.raises(TrainingError, match=r"step 2 is not finite \(loss nan: tiny/near nan; pai"):
        train(trainer, tmp_path)
    state = read_checkpoint(tmp_path / "last.pt")
    assert state["progress"]["step"] == 2
    assert all(torch.isfinite(value).all() for value in state["network"].values())


@pytest.mark.parametrize("workers", [0, 1])
def test_missing_data_is_an_error_of_one_line(tmp_path, workers):
    source = TinySource(missing=3 * (1 << 32) + 4)
    trainer = make_trainer(configured({"steps": 9, "workers": workers}), tmp_path, source)
    with pytest.raises(InputError) as caught:
        train(trainer, tmp_path)
    assert str(caught.value) == "/photographs/7.jpg: no such file"


def test_the_run_ends_when_its_time_is_up(tmp_path):
    trainer = make_trainer(configured({"steps": 10**6, "minutes": 0.3 / 60}), tmp_path)
    assert train(trainer, tmp_path) is Ending.TIME
    step = read_checkpoint(tmp_path / "last.pt")["progress"]["step"]
    assert 0 < step < 10**6
    # More time lets it go on.
    longer = make_trainer(configured({"steps": step + 2, "minutes": 60}), tmp_path)
    longer.resume()
    assert longer.progress.seconds >= 0.3
    assert train(longer, tmp_path) is Ending.STEPS


def test_training_stops_when_validations_do_not_improve(tmp_path):
    validation = VALIDATION.model_copy(update={"every": 1, "patience": 2})
    frozen = OptimizerConfiguration(name="sgd", learning_rate=1e-30)
    configuration = configured({"steps": 50}, validation=validation, optimizer=frozen)
    trainer = make_trainer(configuration, tmp_path)
    trainer.network.norm.momentum = 0.0
    assert train(trainer, tmp_path) is Ending.NO_IMPROVEMENT
    state = read_checkpoint(tmp_path / "last.pt")
    assert state["progress"]["step"] == 2
    assert read_checkpoint(tmp_path / "best.pt")["point"]["step"] == 0


def test_unknown_validation_metric_is_found_before_the_first_step(tmp_path):
    validation = VALIDATION.model_copy(update={"metric": "speed"})
    trainer = make_trainer(configured({"steps": 5}, validation=validation), tmp_path)
    with pytest.raises(ConfigurationError, match=r"no validation metric 'speed' \(there are: loss"):
        train(trainer, tmp_path)
    assert trainer.progress.step == 0


def test_the_loss_goes_down(tmp_path):
    validation = VALIDATION.model_copy(update={"every": 30})
    trainer = make_trainer(configured({"steps": 30}, validation=validation), tmp_path)
    train(trainer, tmp_path)
    first, last = trainer.progress.curve
    assert last.metrics["loss"] < 0.9 * first.metrics["loss"]


def test_logs(tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    configuration = configured({"steps": 4}, validation=VALIDATION)
    train(make_trainer(configuration, tmp_path), tmp_path, AfterCalls(7))
    trainer = make_trainer(configuration, tmp_path)
    trainer.resume()
    assert 0 < trainer.progress.step < 4
    train(trainer, tmp_path)
    events = EventAccumulator(str(tmp_path / "tensorboard"))
    events.Reload()
    assert [event.step for event in events.Scalars("training/loss")] == [1, 2, 3, 4]
    assert [event.step for event in events.Scalars("validation/loss")] == [0, 2, 4]
    rows = (tmp_path / "validation.csv").read_text().splitlines()
    assert rows[0].startswith("step,minutes,loss,tiny/near,coarse_1_cell")
    assert [row.split(",")[0] for row in rows[1:]] == ["0", "2", "4"]


def test_checkpoints_of_other_runs_are_refused(tmp_path):
    configuration = configured({"steps": 1})
    train(make_trainer(configuration, tmp_path), tmp_path)
    state = read_checkpoint(tmp_path / "last.pt")
    del state["network"]["fine.weight"], state["format"]
    write_checkpoint(tmp_path / "last.pt", state)
    with pytest.raises(TrainingError, match=r"last.pt: not a checkpoint of this run .*fine.weight"):
        make_trainer(configuration, tmp_path).resume()
