"""The double-margin loss and its mining against loops over all cells."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest
import torch
from training.losses.random_pairs import (
    STRIDES,
    as_features,
    numbers,
    random_batch,
    random_values,
    slow_descriptor,
)

from dense_reloc_ros.training.losses.double_margin_loss import (
    DoubleMarginLoss,
    DoubleMarginLossConfiguration,
    hard_cells,
)
from dense_reloc_ros.training.losses.sampling import at_most

EXCLUSION = 9.0


def loss_of(**options) -> DoubleMarginLoss:
    """A loss that takes the hardest mismatch unless told otherwise."""
    options = {
        "first_pool": 1,
        "last_pool": 1,
        "exclusion_px": EXCLUSION,
        "levels": ("coarse", "fine"),
    } | options
    return DoubleMarginLoss(DoubleMarginLossConfiguration(**options))


def ranked_mismatches(descriptor, values, pixel, stride, offset) -> list[tuple[float, int]]:
    """Distance of the descriptor and number of every cell that may be a mismatch, sorted."""
    _, height, width = values.shape
    found = []
    for row in range(height):
        for column in range(width):
            x, y = column * stride + offset, row * stride + offset
            if math.hypot(x - pixel[0], y - pixel[1]) > EXCLUSION:
                distance = float(np.linalg.norm(descriptor - values[:, row, column]))
                found.append((distance, row * width + column))
    return sorted(found)


def slow_terms(source, target, batch, name) -> tuple[float, float]:
    """Eqs. 5 and 6 with the hardest mismatch of each match."""
    positive, negative = [], []
    for image, point in np.argwhere(batch.visible.numpy()):
        values = numbers(target[name][image])
        at_source = slow_descriptor(
            numbers(source[name][image]), numbers(batch.source_pixels[image, point]), *STRIDES[name]
        )
        pixel = numbers(batch.target_pixels[image, point])
        at_target = slow_descriptor(values, pixel, *STRIDES[name])
        positive.append(max(0.0, float(np.linalg.norm(at_source - at_target)) - 0.1) ** 2)
        hardest, _ = ranked_mismatches(at_source, values, pixel, *STRIDES[name])[0]
        negative.append(max(0.0, 1.0 - hardest) ** 2)
    return float(np.mean(positive)), float(np.mean(negative))


@pytest.mark.parametrize("names", [("coarse",), ("coarse", "fine")])
def test_follows_the_definition(names):
    source, target, batch = random_values(1), random_values(2), random_batch()
    loss = loss_of(levels=names)
    value = loss(as_features(source), as_features(target), batch)
    positive, negative = np.sum([slow_terms(source, target, batch, n) for n in names], axis=0)
    assert negative > 0.1
    assert value.parts["double_margin/positive"] == pytest.approx(positive)
    assert value.parts["double_margin/negative"] == pytest.approx(negative)
    assert value.total.item() == pytest.approx(positive + negative)


@pytest.mark.parametrize("memory_limit", [1, 1 << 28])
def test_mismatches_are_drawn_evenly_from_the_hardest(memory_limit):
    features = as_features(random_values(2))
    level = features.levels["fine"]
    pixels = torch.tensor([[8.0, 8.0], [30.0, 3.0], [0.0, 0.0]], dtype=torch.float64)
    descriptors = torch.eye(3, dtype=torch.float64)
    image = torch.tensor([0, 0, 1])
    drawn = [Counter() for _ in image]
    for draw in torch.linspace(0, 0.999, 100):
        cells, found = hard_cells(
            descriptors, image, level, pixels, EXCLUSION, 4, draw.expand(3), memory_limit
        )
        assert found.all()
        for counter, cell in zip(drawn, cells.tolist(), strict=True):
            counter[cell] += 1
    for point, counter in enumerate(drawn):
        values = numbers(level.values[image[point]])
        ranked = ranked_mismatches(
            numbers(descriptors[point]), values, pixels[point].tolist(), *STRIDES["fine"]
        )
        assert counter == Counter({cell: 25 for _, cell in ranked[:4]})


def test_the_pool_shrinks_as_in_the_paper():
    loss = loss_of(first_pool=300, last_pool=5)
    assert loss.pool == 300
    for step in (1_000, 10_000, 50_000, 1_000_000):
        loss.steps.count.fill_(step)
        assert loss.pool == max(5, int(300 * math.exp(-0.6 * step / 10_000)))


def test_draws_repeat_by_step_and_resume():
    features, batch = (as_features(random_values(1)), as_features(random_values(2))), random_batch()
    options = {"first_pool": 60, "last_pool": 60, "points": 2}
    loss = loss_of(**options)
    first, second = (loss(*features, batch).total.item() for _ in range(2))
    resumed = loss_of(**options)
    resumed.load_state_dict(loss.state_dict())
    third = resumed(*features, batch).total.item()
    assert len({first, second, third}) == 3
    assert third == loss(*features, batch).total.item()
    assert loss.eval()(*features, batch).total.item() == first


def test_not_more_points_than_wanted_are_drawn_from_a_pair():
    image, point = random_batch().visible.nonzero(as_tuple=True)
    for limit, kept in ((1, 2), (2, 4), (3, 6), (4, 7)):
        drawn = at_most(limit, image, point, torch.Generator().manual_seed(limit))
        assert torch.bincount(drawn[0]).tolist() == [min(limit, 4), min(limit, 3)]
        pairs = set(zip(*(d.tolist() for d in drawn), strict=True))
        assert len(pairs) == kept
        assert pairs <= set(zip(image.tolist(), point.tolist(), strict=True))


def test_gradients():
    source, target, batch = random_values(1), random_values(2), random_batch()
    loss = loss_of(levels=("coarse",), negative_margin=1.3)

    def total(source_values, target_values):
        features = as_features({"coarse": source_values}), as_features({"coarse": target_values})
        return loss(*features, batch).total.double()

    assert torch.autograd.gradcheck(total, (source["coarse"], target["coarse"]))


@pytest.mark.parametrize("nothing", ["visible", "mismatches"])
def test_nothing_to_learn_from_gives_zero_and_zero_gradients(nothing):
    values = random_values(1)
    features = as_features(values)
    batch = random_batch()
    loss = loss_of(exclusion_px=1e3)
    if nothing == "visible":
        nowhere = torch.full((2, 5, 2), torch.nan)
        batch = random_batch(visible=torch.zeros(2, 5, dtype=torch.bool), target_pixels=nowhere)
    batch.source_pixels.copy_(batch.target_pixels)  # matches are perfect, their distance is 0
    value = loss(features, features, batch)
    value.total.backward()
    assert value.total.item() == 0
    for level in values.values():
        assert torch.count_nonzero(level.grad) == 0


def test_half_precision_and_autocast_lose_nothing_after_the_features():
    source, target = random_values(1, torch.float16), random_values(2, torch.float16)
    batch = random_batch()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        value = loss_of()(as_features(source), as_features(target), batch)
    expected = sum(sum(slow_terms(source, target, batch, name)) for name in STRIDES)
    assert value.total.item() == pytest.approx(expected, rel=1e-4)
    value.total.backward()
    assert target["fine"].grad.isfinite().all()
