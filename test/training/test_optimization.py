from __future__ import annotations

import math

import pytest
import torch
from training.tiny import TinyLoss, TinyNetwork

from dense_reloc_ros.training.optimization import (
    ConstantSchedule,
    CosineSchedule,
    DecaySchedule,
    OptimizerConfiguration,
    create_optimizer,
    learning_rate_factor,
    set_learning_rates,
)


def test_decay_is_that_of_the_papers():
    """e^-0.1 an epoch, against PyTorch's own schedule."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    reference = torch.optim.lr_scheduler.StepLR(optimizer, step_size=4, gamma=math.exp(-0.1))
    schedule = DecaySchedule(every=4)
    for step in range(20):
        factor = learning_rate_factor(schedule, step, step / 20)
        assert factor == pytest.approx(reference.get_last_lr()[0])
        optimizer.step()
        reference.step()


def test_cosine_against_pytorch():
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    reference = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=20, eta_min=0.1)
    for step in range(21):
        factor = learning_rate_factor(CosineSchedule(last=0.1), step, step / 20)
        assert factor == pytest.approx(reference.get_last_lr()[0])
        optimizer.step()
        reference.step()
    assert learning_rate_factor(CosineSchedule(last=0.1), 25, 1.25) == pytest.approx(0.1)


def test_warm_up_rises_evenly():
    factors = [learning_rate_factor(ConstantSchedule(warmup=3), step, 0) for step in range(6)]
    assert factors == [0.25, 0.5, 0.75, 1, 1, 1]


@pytest.mark.parametrize("name", ["adam", "adamw", "sgd"])
def test_every_parameter_has_its_rate(name):
    network, loss = TinyNetwork(), TinyLoss()
    network.coarse.bias.requires_grad_(False)
    configuration = OptimizerConfiguration(
        name=name, learning_rate=0.01, trunk_factor=0.1, loss_factor=10, weight_decay=0.05
    )
    optimizer = create_optimizer(configuration, network, loss)
    assert type(optimizer).__name__.lower() == name
    set_learning_rates(optimizer, 0.5)
    found = {
        id(parameter): (group["lr"], group["weight_decay"])
        for group in optimizer.param_groups
        for parameter in group["params"]
    }
    expected = {id(loss.log_temperature): (0.05, 0.0)}
    for parameter_name, parameter in network.named_parameters():
        rate = 0.0005 if parameter_name.startswith("trunk") else 0.005
        expected[id(parameter)] = (rate, 0.05)
    del expected[id(network.coarse.bias)]
    assert found.keys() == expected.keys()
    for key, values in found.items():
        assert values == pytest.approx(expected[key])


def test_frozen_trunks_do_not_move():
    network = TinyNetwork()
    configuration = OptimizerConfiguration(learning_rate=1.0, trunk_factor=0.0, weight_decay=0.1)
    optimizer = create_optimizer(configuration, network, TinyLoss())
    before = {name: value.clone() for name, value in network.named_parameters()}
    for parameter in network.parameters():
        parameter.grad = torch.ones_like(parameter)
    optimizer.step()
    for name, parameter in network.named_parameters():
        assert torch.equal(parameter, before[name]) == name.startswith("trunk"), name
