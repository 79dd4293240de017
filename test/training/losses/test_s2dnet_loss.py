"""The loss of S2DNet against its definition, cell by cell."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from training.losses.random_pairs import (
    STRIDES,
    as_features,
    numbers,
    random_batch,
    random_values,
    slow_bilinear,
)

from dense_reloc_ros.training.losses.s2dnet_loss import S2DNetLoss, S2DNetLossConfiguration

TEMPERATURE = 0.3


@pytest.fixture(params=[1, 512])
def memory_mb(request, monkeypatch) -> int:
    """Limits that make and do not make the loss work in chunks and compute them again."""
    for module in ("matching.correlation", "training.losses.s2dnet_loss"):
        monkeypatch.setattr(f"dense_reloc_ros.{module}.BYTES_PER_CELL", 4_000)
    return request.param


def loss_of(**options) -> S2DNetLoss:
    options = {"levels": ("coarse", "fine"), "temperature": TEMPERATURE} | options
    return S2DNetLoss(S2DNetLossConfiguration(**options)).double()


def unequal_values(seed: int, dtype: torch.dtype = torch.float64) -> dict[str, torch.Tensor]:
    """Features whose lengths differ from cell to cell, as those of S2DNet."""
    generator = torch.Generator().manual_seed(seed)
    return {
        name: (values.detach() * (0.5 + torch.rand(values.shape, generator=generator)))
        .to(dtype)
        .requires_grad_()
        for name, values in random_values(seed).items()
    }


def slow_s2dnet(source, target, batch, names=("coarse", "fine")) -> float:
    """-ln softmax(sum of upsampled correlation maps)[nearest cell of the fine level]."""
    terms = []
    stride, offset = STRIDES[names[-1]]
    height, width = target[names[-1]].shape[-2:]
    for image, point in np.argwhere(batch.visible.numpy()):
        descriptors, maps = {}, {}
        for name in names:
            x, y = (numbers(batch.source_pixels[image, point]) - STRIDES[name][1]) / STRIDES[name][
                0
            ]
            descriptors[name] = slow_bilinear(numbers(source[name][image]), x, y)
            values = numbers(target[name][image])
            maps[name] = np.einsum("c,chw->hw", descriptors[name], values)[None]
        total = {}
        for row in range(height):
            for column in range(width):
                x, y = column * stride + offset, row * stride + offset
                total[row, column] = sum(
                    slow_bilinear(
                        maps[name],
                        (x - STRIDES[name][1]) / STRIDES[name][0],
                        (y - STRIDES[name][1]) / STRIDES[name][0],
                    ).item()
                    for name in names
                )
        x, y = numbers(batch.target_pixels[image, point])
        label = min(
            total,
            key=lambda cell: math.hypot(
                cell[1] * stride + offset - x, cell[0] * stride + offset - y
            ),
        )
        partition = sum(math.exp(value / TEMPERATURE) for value in total.values())
        terms.append(math.log(partition) - total[label] / TEMPERATURE)
    return float(np.mean(terms))


def test_follows_the_definition(memory_mb):
    source, target, batch = unequal_values(1), unequal_values(2), random_batch()
    value = loss_of(memory_mb=memory_mb)(as_features(source), as_features(target), batch)
    assert value.total.item() == pytest.approx(slow_s2dnet(source, target, batch))
    assert value.parts["s2dnet"] == value.total.item()


def test_the_temperature_can_be_learned():
    source, target, batch = unequal_values(1), unequal_values(2), random_batch()
    loss = loss_of(learn_temperature=True)
    value = loss(as_features(source), as_features(target), batch)
    assert value.parts["s2dnet/temperature"] == pytest.approx(TEMPERATURE)
    value.total.backward()
    assert loss.temperature.logarithm.grad.abs() > 0
    assert not any(parameter.requires_grad for parameter in loss_of().parameters())


def test_the_levels_to_add_can_be_chosen():
    source, target, batch = unequal_values(1), unequal_values(2), random_batch()
    value = loss_of(levels=("coarse",))(as_features(source), as_features(target), batch)
    expected = slow_s2dnet(source, target, batch, ("coarse",))
    assert value.total.item() == pytest.approx(expected)


def test_gradients(memory_mb):
    source, target, batch = unequal_values(1), unequal_values(2), random_batch()
    names = list(source)
    loss = loss_of(memory_mb=memory_mb)

    def total(*values):
        features = (as_features(dict(zip(names, v, strict=True))) for v in (values[:2], values[2:]))
        return loss(*features, batch).total

    assert torch.autograd.gradcheck(total, (*source.values(), *target.values()), fast_mode=True)


def test_nothing_visible_gives_zero_and_zero_gradients():
    source, target = unequal_values(1), unequal_values(2)
    batch = random_batch(
        visible=torch.zeros(2, 5, dtype=torch.bool), target_pixels=torch.full((2, 5, 2), torch.nan)
    )
    value = loss_of()(as_features(source), as_features(target), batch)
    value.total.backward()
    assert value.total.item() == 0
    for values in (*source.values(), *target.values()):
        assert torch.count_nonzero(values.grad) == 0


def test_corners_of_the_image_count():
    pixels = torch.tensor([[0.0, 0.0], [31.0, 23.0], [31.0, 0.0], [0.0, 23.0], [31.5, 22.6]])
    batch = random_batch(
        visible=torch.ones(2, 5, dtype=torch.bool), target_pixels=pixels.double().expand(2, 5, 2)
    )
    source, target = unequal_values(1), unequal_values(2)
    value = loss_of()(as_features(source), as_features(target), batch)
    assert value.total.item() == pytest.approx(slow_s2dnet(source, target, batch))


def test_half_precision_and_autocast_lose_nothing_after_the_features():
    source, target = unequal_values(1, torch.float16), unequal_values(2, torch.float16)
    batch = random_batch()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        value = loss_of()(as_features(source), as_features(target), batch)
    assert value.total.item() == pytest.approx(slow_s2dnet(source, target, batch), rel=1e-5)
    value.total.backward()
    assert source["fine"].grad.isfinite().all()
