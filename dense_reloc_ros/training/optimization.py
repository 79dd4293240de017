"""Optimizers and learning rates; a rate is a function of the progress alone, without a memory."""

from __future__ import annotations

import math
from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import nn

from dense_reloc_ros.features.network import TrainableNetwork
from dense_reloc_ros.parameter_blocks import Block


class OptimizerConfiguration(Block):
    """How weights follow their gradients."""

    name: Literal["adam", "adamw", "sgd"] = "adamw"
    learning_rate: float = Field(1e-3, gt=0.0, description="Before the schedule's factor")
    trunk_factor: float = Field(
        1.0,
        ge=0.0,
        description="Learning rate of pretrained trunks over that of the rest; 0: they stay as "
        "they are",
    )
    loss_factor: float = Field(
        1.0, gt=0.0, description="Learning rate of what losses learn (temperatures) over the rest's"
    )
    weight_decay: float = Field(0.0, ge=0.0)
    momentum: float = Field(0.9, ge=0.0, lt=1.0, description="Of sgd")
    largest_gradient: float | None = Field(
        None, gt=0.0, description="Norm that longer gradients are cut to"
    )


class _Schedule(Block):
    warmup: int = Field(0, ge=0, description="Steps in which the rate rises from nothing")


class ConstantSchedule(_Schedule):
    """Always the same rate."""

    name: Literal["constant"] = "constant"


class DecaySchedule(_Schedule):
    """A factor every so many steps (the papers': e^-0.1 an epoch)."""

    name: Literal["decay"] = "decay"
    factor: float = Field(math.exp(-0.1), gt=0.0, le=1.0)
    every: int = Field(ge=1, description="Steps between two decays")


class CosineSchedule(_Schedule):
    """Half a cosine from the full rate down to the last one, over the run."""

    name: Literal["cosine"] = "cosine"
    last: float = Field(0.01, ge=0.0, le=1.0, description="Factor at the end of the run")
    follow: Literal["steps", "time"] = Field(
        "steps", description="What the run is measured in; time needs run.minutes"
    )


Schedule = Annotated[ConstantSchedule | DecaySchedule | CosineSchedule, Field(discriminator="name")]


def learning_rate_factor(schedule: Schedule, step: int, progress: float) -> float:
    """Factor on the learning rate at a step from 0 up; `progress` is the share of the run done."""
    rise = min(1.0, (step + 1) / (schedule.warmup + 1))
    if isinstance(schedule, DecaySchedule):
        return rise * schedule.factor ** (step // schedule.every)
    if isinstance(schedule, CosineSchedule):
        half = (1 + math.cos(math.pi * min(1.0, progress))) / 2
        return rise * (schedule.last + (1 - schedule.last) * half)
    return rise


def create_optimizer(
    configuration: OptimizerConfiguration, network: TrainableNetwork, losses: nn.Module
) -> torch.optim.Optimizer:
    """An optimizer of a network and of what its losses learn (temperatures).

    Each group of parameters keeps its rate before the schedule under `base_rate`. What the losses
    learn does not decay.
    """
    trunk = {id(parameter) for parameter in network.trunk_parameters()}
    if configuration.trunk_factor == 0:
        # Saves the time that their gradients would take.
        for parameter in network.trunk_parameters():
            parameter.requires_grad_(False)
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for module in (network, losses):
        for parameter in module.parameters():
            if not parameter.requires_grad:
                continue
            rate = configuration.learning_rate
            if id(parameter) in trunk:
                rate *= configuration.trunk_factor
            elif module is losses:
                rate *= configuration.loss_factor
            decay = configuration.weight_decay if module is network else 0.0
            groups.setdefault((rate, decay), []).append(parameter)
    parameters = [
        {"params": members, "lr": rate, "base_rate": rate, "weight_decay": decay}
        for (rate, decay), members in groups.items()
    ]
    if configuration.name == "sgd":
        return torch.optim.SGD(parameters, momentum=configuration.momentum)
    if configuration.name == "adam":
        return torch.optim.Adam(parameters)
    return torch.optim.AdamW(parameters)


def set_learning_rates(optimizer: torch.optim.Optimizer, factor: float) -> None:
    """Gives every group of parameters its own rate times a factor."""
    for group in optimizer.param_groups:
        group["lr"] = group["base_rate"] * factor
