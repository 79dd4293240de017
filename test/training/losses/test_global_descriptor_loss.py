"""The loss of global descriptors against loops over queries and negatives."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn.functional import normalize
from training.losses.random_pairs import as_features, random_batch, random_values

from dense_reloc_ros.training.losses.global_descriptor_loss import (
    GlobalDescriptorLoss,
    GlobalDescriptorLossConfiguration,
)


def loss_of(**options) -> GlobalDescriptorLoss:
    return GlobalDescriptorLoss(GlobalDescriptorLossConfiguration(margin=0.4, **options))


def random_descriptors(seed: int, count: int = 4) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    values = torch.randn(count, 3, generator=generator, dtype=torch.float64)
    return normalize(values, dim=1).requires_grad_()


def evaluate(loss, source, target, places):
    levels = random_values(0)
    batch = replace(random_batch(), place=torch.tensor(places))
    return loss(as_features(levels, source), as_features(levels, target), batch)


def slow_loss(source, target, places, negatives, recent=(), recent_places=()) -> float:
    """NetVLAD's ranking loss with the nearest negatives of each query."""
    source, target = source.detach().numpy(), target.detach().numpy()
    database = [*source, *recent]
    database_places = [*places, *recent_places]
    terms = []
    for query, positive, place in zip(target, source, places, strict=True):
        distances = sorted(
            np.sum((query - other) ** 2)
            for other, other_place in zip(database, database_places, strict=True)
            if other_place != place
        )
        if distances:
            to_positive = np.sum((query - positive) ** 2)
            terms.append(sum(max(0.0, to_positive + 0.4 - d) for d in distances[:negatives]))
    return float(np.mean(terms))


@pytest.mark.parametrize("negatives", [1, 2, 10])
@pytest.mark.parametrize("places", [[0, 1, 2, 3], [0, 0, 5, 0]])
def test_follows_the_definition(negatives, places):
    source, target = random_descriptors(1), random_descriptors(2)
    value = evaluate(loss_of(negatives=negatives).eval(), source, target, places)
    expected = slow_loss(source, target, places, negatives)
    assert expected > 0
    assert value.total.item() == pytest.approx(expected)
    assert value.parts["global_descriptor"] == pytest.approx(expected)


def test_the_share_of_wrong_negatives_is_told():
    source, target = torch.eye(3), torch.eye(3)[[0, 2, 1]]
    value = evaluate(loss_of().eval(), source, target, [0, 1, 2])
    # The first query equals its positive. Of the negatives of each other one, one equals it, and
    # one is as far away as the positive.
    assert value.parts["global_descriptor/wrong_negatives"] == pytest.approx(4 / 6)


def test_images_of_one_place_give_zero_and_zero_gradients():
    source, target = random_descriptors(1), random_descriptors(2)
    value = evaluate(loss_of().eval(), source, target, [7, 7, 7, 7])
    value.total.backward()
    assert value.total.item() == 0
    assert torch.count_nonzero(source.grad) == torch.count_nonzero(target.grad) == 0


def test_negatives_are_remembered_up_to_the_capacity():
    loss = loss_of(memory=6, negatives=3)
    sources = [random_descriptors(seed) for seed in (1, 3, 5)]
    places = [[0, 1, 2, 3], [4, 5, 0, 1], [2, 6, 7, 8]]
    for source, of_batch in zip(sources[:2], places[:2], strict=True):
        evaluate(loss, source, random_descriptors(9), of_batch)
    recent = torch.cat(sources[:2]).detach().numpy()[2:]
    recent_places = [*places[0], *places[1]][2:]
    target = random_descriptors(6)
    expected = slow_loss(sources[2], target, places[2], 3, recent, recent_places)
    alone = slow_loss(sources[2], target, places[2], 3)
    assert expected != pytest.approx(alone)
    evaluated = evaluate(loss.eval(), sources[2], target, places[2])
    assert evaluated.total.item() == pytest.approx(alone)
    trained = evaluate(loss.train(), sources[2], target, places[2])
    assert trained.total.item() == pytest.approx(expected)
    trained.total.backward()
    assert target.grad.abs().max() > 0
    assert sources[0].grad is None
    assert sources[1].grad is None


@pytest.mark.parametrize("memory", [0, 5])
def test_a_run_resumes_exactly_from_a_file(memory):
    loss, resumed = loss_of(memory=memory), loss_of(memory=memory)
    evaluate(loss, random_descriptors(1), random_descriptors(2), [0, 1, 2, 3])
    file = io.BytesIO()
    torch.save(loss.state_dict(), file)
    file.seek(0)
    resumed.load_state_dict(torch.load(file, weights_only=True))
    for seed in (3, 5):
        pair = random_descriptors(seed), random_descriptors(seed + 1)
        first, second = (evaluate(each, *pair, [4, 5, 6, 0]).total for each in (loss, resumed))
        assert first.item() == second.item()


def test_gradients():
    recent = random_descriptors(8)

    def total(source, target):
        loss = loss_of(negatives=4)
        loss.memory.add(recent, torch.arange(10, 14))
        return evaluate(loss, source, target, [0, 1, 2, 0]).total

    # The definition takes distances of unit vectors; it is differentiated along the sphere.
    assert torch.autograd.gradcheck(
        lambda s, t: total(normalize(s, dim=1), normalize(t, dim=1)),
        (random_descriptors(1), random_descriptors(2)),
    )


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_and_autocast_lose_nothing_after_the_descriptors(dtype):
    source, target = random_descriptors(1).to(dtype), random_descriptors(2).to(dtype)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        value = evaluate(loss_of(), source, target, [0, 1, 2, 3])
    expected = slow_loss(source.double(), target.double(), [0, 1, 2, 3], 10)
    # Rounded vectors are not exactly of unit length.
    assert value.total.item() == pytest.approx(
        expected, rel=2e-3 if dtype == torch.float16 else 2e-2
    )
