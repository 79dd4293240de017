"""Operations and synchronizations are counted as they would happen on a device."""

from __future__ import annotations

import pytest
import torch

from dense_reloc_ros.devices import to_processor
from dense_reloc_ros.evaluation.benchmarks.operations import BETWEEN, operations_counted
from dense_reloc_ros.stopwatch import Stopwatch

CPU = torch.device("cpu")


def synchronizations(compute) -> int:
    """Of a function of a tensor (4,) on the device."""
    with operations_counted() as counter:
        compute(torch.arange(4.0).to(CPU))
    return counter.frame("one").whole.synchronizations


@pytest.mark.parametrize(
    "compute",
    [
        lambda x: float(x.sum()),
        lambda x: bool((x > 1).any()),
        lambda x: x.mul(2).tolist(),
        lambda x: x[x > 1],
        lambda x: (x > 1).nonzero(),
        lambda x: x.cpu().numpy(),
        lambda x: torch.unique(x),
        lambda x: torch.linalg.inv(torch.diag(x + 1)),
        lambda x: x.topk(1).indices.item(),
    ],
)
def test_asking_for_a_value_or_a_size_that_depends_on_one_is_a_synchronization(compute):
    assert synchronizations(compute) == 1


@pytest.mark.parametrize(
    "compute",
    [
        lambda x: x[torch.tensor([0, 2])],
        lambda x: torch.where(x > 1, x, 0.0),
        lambda x: len(x) + x.shape[0],
        lambda x: x.topk(2).values.sum(),
    ],
)
def test_what_stays_on_the_device_is_none(compute):
    assert synchronizations(compute) == 0


def test_tensors_that_are_brought_to_the_processor_together_are_waited_for_once():
    def compute(x):
        one, two, three = to_processor(x + 1, x + 2, x + 3)
        return float(one.sum()), two[two > 3], three.tolist()

    assert synchronizations(compute) == 1


def test_values_of_the_host_are_known_to_it():
    with operations_counted() as counter:
        x = torch.arange(4.0)
        float(x.sum())
        x.to(CPU).add(1)
        float(x.sum())
        x[x > 1].tolist()
    assert counter.frame("one").whole.synchronizations == 0


def test_operations_are_counted_by_stage():
    watch = Stopwatch(CPU)
    with operations_counted() as counter:
        x = torch.ones(3)
        with watch.stage("matching"):
            y = x.to(CPU) + 1
            with watch.stage("pose"):
                y.mul(2).sum()
        float(y[0])
    stages = counter.frame("one").stages
    assert stages["matching"].operations == 1
    assert stages["pose"].operations == 2
    assert (stages[BETWEEN].operations, stages[BETWEEN].synchronizations) == (3, 1)
    assert counter.frame("one").places == 1
