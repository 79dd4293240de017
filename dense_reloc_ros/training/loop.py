"""The training loop: batches in, steps down the loss, now and then a validation."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import asdict
from typing import Any

import torch

from dense_reloc_ros.errors import TrainingError
from dense_reloc_ros.features.network import TrainableNetwork
from dense_reloc_ros.training.batches import Source, training_batches
from dense_reloc_ros.training.checkpoints import Checkpoints, read_checkpoint, write_checkpoint
from dense_reloc_ros.training.logs import TrainingLog
from dense_reloc_ros.training.objective import Objective
from dense_reloc_ros.training.optimization import (
    CosineSchedule,
    create_optimizer,
    learning_rate_factor,
    set_learning_rates,
)
from dense_reloc_ros.training.reproducibility import deterministic_sums, seed_step
from dense_reloc_ros.training.run_progress import (
    CurvePoint,
    Ending,
    Progress,
    best_point,
    validations_since_best,
)
from dense_reloc_ros.training.training_configuration import TrainingConfiguration
from dense_reloc_ros.training.validator import Validator

Batches = Generator[tuple[list[int], Any], None, None]


class Trainer:
    """One training run, from the state it was constructed or loaded with.

    On a CPU the weights after a step are a function of the configuration alone, however often the
    run was interrupted and resumed, unless the schedule follows the time: pairs are a function of
    the step, and so is the random state that a network's or a loss's own draws begin from.
    """

    def __init__(
        self,
        configuration: TrainingConfiguration,
        network: TrainableNetwork,
        objective: Objective,
        source: Source,
        validator: Validator | None,
        checkpoints: Checkpoints,
        device: torch.device,
    ) -> None:
        self.progress = Progress()
        # Faster on CPUs, and on GPUs in half precision.
        self.network = network.to(device).to(memory_format=torch.channels_last)
        self._objective = objective.to(device)
        self._configuration = configuration
        self._source = source
        self._validator = validator
        self._checkpoints = checkpoints
        self._device = device
        self._optimizer = create_optimizer(configuration.optimizer, self.network, self._objective)
        # Half precision pays on GPUs, on few CPUs; float16 alone needs its gradients scaled.
        name = configuration.precision
        if device.type != "cuda" and not (name == "bfloat16" and has_fast_bfloat16()):
            name = "float32"
        self._precision: torch.dtype = getattr(torch, name)
        self._scaler = torch.amp.GradScaler(device.type, enabled=name == "float16")

    def run(self, log: TrainingLog, interrupted: Callable[[], bool]) -> Ending:
        """Trains until there is a reason to end; the last checkpoint is on disk then.

        Raises:
            RelocError: what the source of pairs raises.
            TrainingError: a loss or a gradient that is not finite, or a checkpoint that cannot be
                written.
        """
        self.network.train()
        self._objective.train()
        run = self._configuration.run
        self._began = time.monotonic() - self.progress.seconds
        with closing(self._batches()) as batches, deterministic_sums(self._device):
            self._validate_if_due(log, interrupted)
            while (ending := self._ending(interrupted)) is None:
                self._step(batches, log)
                self._validate_if_due(log, interrupted)
                if self.progress.step % run.checkpoint_every == 0:
                    self.save()
            if ending is not Ending.INTERRUPTED:
                self._validate(log, interrupted)
        self.save()
        return Ending.INTERRUPTED if interrupted() else ending

    def save(self) -> None:
        """Writes the last checkpoint."""
        state = {
            "network": self.network.state_dict(),
            "objective": self._objective.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "scaler": self._scaler.state_dict(),
            "progress": asdict(self.progress),
        }
        write_checkpoint(self._checkpoints.last, state)

    def resume(self) -> None:
        """Goes on from the last checkpoint.

        Raises:
            InputError: there is none, or it cannot be read.
            TrainingError: it is one of another network, loss or optimizer.
        """
        path = self._checkpoints.last
        state = read_checkpoint(path)
        try:
            self.network.load_state_dict(state["network"])
            self._objective.load_state_dict(state["objective"])
            self._optimizer.load_state_dict(state["optimizer"])
            self._scaler.load_state_dict(state["scaler"])
            self.progress = Progress.of_state(state["progress"])
        except (KeyError, RuntimeError, TypeError, ValueError) as error:
            reason = " ".join(str(error).split())
            raise TrainingError(f"{path}: not a checkpoint of this run ({reason})") from None

    def _batches(self) -> Batches:
        configuration = self._configuration
        return training_batches(
            self._source,
            configuration.seed,
            self.progress.step * configuration.accumulation,
            configuration.batch_size,
            configuration.run.workers,
        )

    def _step(self, batches: Batches, log: TrainingLog) -> None:
        """One update of the weights, from `accumulation` batches."""
        configuration, step = self._configuration, self.progress.step
        seed_step(configuration.seed, step)
        factor = learning_rate_factor(configuration.schedule, step, self._share_done())
        set_learning_rates(self._optimizer, factor)

        self._optimizer.zero_grad(set_to_none=True)
        loss = 0.0
        for _ in range(configuration.accumulation):
            numbers, batch = next(batches)
            batch = batch.to(self._device)
            value = self._objective.evaluate(self.network, batch, self._precision)
            part = float(value.total.detach())
            if not math.isfinite(part):
                parts = ", ".join(f"{name} {number:.4g}" for name, number in value.parts.items())
                raise _not_finite(step, numbers, f"loss {part}: {parts}")
            torch.autograd.backward(self._scaler.scale(value.total / configuration.accumulation))
            loss += part / configuration.accumulation
        self._scaler.unscale_(self._optimizer)
        length = self._cut_gradients()
        # A scaler that scales expects infinite gradients now and then, and leaves out their step.
        if not math.isfinite(length) and not self._scaler.is_enabled():
            raise _not_finite(step, numbers, f"gradient {length}, loss {loss:.4g}")
        self._scaler.step(self._optimizer)
        self._scaler.update()

        self.progress.step += 1
        numbers_to_log = {"gradient": length, "learning_rate_factor": factor, **value.parts}
        log.step(self.progress.step, loss, numbers_to_log)

    def _cut_gradients(self) -> float:
        """Limits the norm of all gradients; returns what it was."""
        limit = self._configuration.optimizer.largest_gradient
        learned = [member for group in self._optimizer.param_groups for member in group["params"]]
        return float(torch.nn.utils.clip_grad_norm_(learned, limit or math.inf))

    def _validate_if_due(self, log: TrainingLog, interrupted: Callable[[], bool]) -> None:
        validation = self._configuration.validation
        if validation is not None and self.progress.step % validation.every == 0:
            self._validate(log, interrupted)

    def _validate(self, log: TrainingLog, interrupted: Callable[[], bool]) -> None:
        """Adds this step to the curve, unless it is there; saves the best weights."""
        validation, progress = self._configuration.validation, self.progress
        if validation is None or self._validator is None:
            return
        if progress.curve and progress.curve[-1].step == progress.step:
            return
        metrics = self._validator(self.network, self._objective, self._device, interrupted)
        if metrics is None:
            return
        point = CurvePoint(progress.step, progress.seconds / 60, metrics)
        progress.curve.append(point)
        log.validation(progress.curve)
        if best_point(progress.curve, validation.metric) is point:
            state = {"network": self.network.state_dict(), "point": asdict(point)}
            write_checkpoint(self._checkpoints.best, state)

    def _ending(self, interrupted: Callable[[], bool]) -> Ending | None:
        run, validation = self._configuration.run, self._configuration.validation
        self.progress.seconds = time.monotonic() - self._began
        if interrupted():
            return Ending.INTERRUPTED
        if self.progress.step >= run.steps:
            return Ending.STEPS
        if run.minutes is not None and self.progress.seconds >= 60 * run.minutes:
            return Ending.TIME
        if validation is not None and validation.patience is not None:
            waited = validations_since_best(self.progress.curve, validation.metric)
            if waited >= validation.patience:
                return Ending.NO_IMPROVEMENT
        return None

    def _share_done(self) -> float:
        """Of the run, by what the schedule follows."""
        schedule, run = self._configuration.schedule, self._configuration.run
        if isinstance(schedule, CosineSchedule) and schedule.follow == "time" and run.minutes:
            return self.progress.seconds / (60 * run.minutes)
        return self.progress.step / run.steps


def has_fast_bfloat16() -> bool:
    """Whether this CPU has AMX."""
    return bool(torch.cpu._is_amx_tile_supported())


def _not_finite(step: int, numbers: Sequence[int], what: str) -> TrainingError:
    return TrainingError(
        f"step {step} is not finite ({what}; pairs {numbers[0]} to {numbers[-1]}); "
        "the last checkpoint, if there is one, is from before it. "
        "Try a smaller learning rate or largest_gradient"
    )
