from __future__ import annotations

import pytest
import torch
from torch import nn
from training.tiny import TinyLoss, TinyNetwork, TinySource

from dense_reloc_ros.training.batches import validation_batches
from dense_reloc_ros.training.feature_matching import Matches, features_of_pairs
from dense_reloc_ros.training.losses.value import LossValue
from dense_reloc_ros.training.objective import Objective
from dense_reloc_ros.training.validator import Validator

CPU = torch.device("cpu")


def test_validation_leaves_no_trace_and_repeats():
    torch.manual_seed(0)
    network, objective = (
        TinyNetwork().train(),
        Objective([TinyLoss()], [1.0], features_of_pairs).train(),
    )
    modules = nn.ModuleList([network, objective])
    before = {name: value.clone() for name, value in modules.state_dict().items()}
    validator = Validator(TinySource(), examples=5, batch_size=2, workers=0, metrics=Matches)
    first = validator(network, objective, CPU)
    second = validator(network, objective, CPU)
    assert first == second
    assert network.training and objective.training and network.norm.training
    for name, value in modules.state_dict().items():
        assert torch.equal(value, before[name]), name


def test_validation_loss_is_the_mean_over_pairs():
    class SumOfImages(nn.Module):
        def forward(self, source, target, batch):
            total = batch.source_image.mean()
            return LossValue(total, {"half": float(total) / 2})

    validator = Validator(TinySource(), examples=5, batch_size=2, workers=0, metrics=Matches)
    metrics = validator(TinyNetwork(), Objective([SumOfImages()], [3.0], features_of_pairs), CPU)
    pairs = list(validation_batches(TinySource(), 5, 1, 0))
    expected = torch.stack([pair.source_image.mean() for pair in pairs]).mean()
    assert metrics["loss"] == pytest.approx(3 * float(expected), rel=1e-5)
    assert metrics["half"] == pytest.approx(float(expected) / 2, rel=1e-5)
