"""The NRE loss against its definition, cell by cell."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from training.losses.random_pairs import (
    STRIDES,
    as_features,
    numbers,
    random_batch,
    random_values,
    slow_descriptor,
)

from dense_reloc_ros.errors import ConfigurationError
from dense_reloc_ros.features.extractor import FeatureLevel
from dense_reloc_ros.matching.windows import local_log_maps
from dense_reloc_ros.training.losses.nre_loss import (
    NreLevelConfiguration,
    NreLoss,
    NreLossConfiguration,
    window_evidence,
)

TEMPERATURE = 0.3


def loss_of(*names: str, memory_mb: int = 512, **options) -> NreLoss:
    levels = tuple(
        NreLevelConfiguration(level=name, temperature=TEMPERATURE, **options) for name in names
    )
    return NreLoss(NreLossConfiguration(levels=levels, memory_mb=memory_mb)).double()


def slow_nre(source, target, batch, name, window=None) -> list[float]:
    """-Σ q_r ln C over all cells, or those of a window centred at the truth, point by point."""
    stride, offset = STRIDES[name]
    terms = []
    for image, point in np.argwhere(batch.visible.numpy()):
        descriptor = slow_descriptor(
            numbers(source[name][image]), numbers(batch.source_pixels[image, point]), stride, offset
        )
        values = numbers(target[name][image])
        _, height, width = values.shape
        x, y = (numbers(batch.target_pixels[image, point]) - offset) / stride
        left = top = 0
        right, bottom = width, height
        if window is not None:
            left, top = round(x) - window // 2, round(y) - window // 2
            right, bottom = left + window, top + window
        x, y = min(max(x, 0), width - 1), min(max(y, 0), height - 1)
        exponentials, pmf = {}, {}
        for row in range(max(top, 0), min(bottom, height)):
            for column in range(max(left, 0), min(right, width)):
                correlation = float(descriptor @ values[:, row, column])
                exponentials[row, column] = math.exp(correlation / TEMPERATURE)
                pmf[row, column] = max(0, 1 - abs(column - x)) * max(0, 1 - abs(row - y))
        assert sum(pmf.values()) == pytest.approx(1)
        total = sum(exponentials.values())
        terms.append(-sum(pmf[cell] * math.log(exponentials[cell] / total) for cell in pmf))
    return terms


@pytest.fixture(params=[1, 512])
def memory_mb(request, monkeypatch) -> int:
    """Limits that make and do not make the loss work in chunks and compute them again."""
    for module in ("matching.correlation", "training.losses.nre_loss"):
        monkeypatch.setattr(f"dense_reloc_ros.{module}.BYTES_PER_CELL", 20_000)
    return request.param


def test_whole_maps_follow_the_definition(memory_mb):
    source, target, batch = random_values(1), random_values(2), random_batch()
    value = loss_of("coarse", "fine", memory_mb=memory_mb, weight=3.0)(
        as_features(source), as_features(target), batch
    )
    expected = {name: np.mean(slow_nre(source, target, batch, name)) for name in STRIDES}
    assert value.parts["nre/coarse"] == pytest.approx(expected["coarse"])
    assert value.parts["nre/fine"] == pytest.approx(expected["fine"])
    assert value.total.item() == pytest.approx(3 * sum(expected.values()))


@pytest.mark.parametrize("window", [6, 7])
def test_windows_at_the_truth_follow_the_definition(window):
    source, target, batch = random_values(1), random_values(2), random_batch()
    value = loss_of("fine", window=window)(as_features(source), as_features(target), batch)
    expected = np.mean(slow_nre(source, target, batch, "fine", window))
    assert value.total.item() == pytest.approx(expected)


def test_a_window_as_large_as_the_image_is_the_whole_map():
    source, target, batch = random_values(1), random_values(2), random_batch()
    features = as_features(source), as_features(target)
    whole = loss_of("fine")(*features, batch).total
    window = loss_of("fine", window=64, jitter=10.0)(*features, batch).total
    torch.testing.assert_close(window, whole)


def test_jitter_repeats_by_step_and_resumes():
    source, target, batch = (
        as_features(random_values(1)),
        as_features(random_values(2)),
        random_batch(),
    )
    loss = loss_of("fine", window=8, jitter=1.5)
    first, second = (loss(source, target, batch).total.item() for _ in range(2))
    assert first != second
    resumed = loss_of("fine", window=8, jitter=1.5)
    resumed.load_state_dict(loss.state_dict())
    third = loss(source, target, batch).total.item()
    assert third == resumed(source, target, batch).total.item()
    evaluated = loss.eval()(source, target, batch).total
    assert evaluated.item() == first == loss(source, target, batch).total.item()


def test_the_truth_stays_in_the_window():
    for window in (6, 7, 12, 13):
        largest = (window + 1) // 2 - 2.5
        NreLevelConfiguration(level="fine", temperature=1, window=window, jitter=largest)
        with pytest.raises(ValidationError, match="jitter"):
            NreLevelConfiguration(level="fine", temperature=1, window=window, jitter=largest + 0.1)
        for truth in np.linspace(0, 5, 101):
            for shift in (-largest, 0.0, largest):
                first = round(truth + shift) - window // 2
                assert first <= math.floor(truth)
                assert math.ceil(truth) < first + window


@pytest.mark.parametrize("options", [{}, {"window": 8, "jitter": 1.0}])
def test_gradients(options, memory_mb):
    source, target, batch = random_values(1), random_values(2), random_batch()
    loss = loss_of("coarse", memory_mb=memory_mb, learn_temperature=True, **options).eval()

    def total(source_values, target_values, log_temperature):
        loss.temperatures["coarse"].logarithm.data.copy_(log_temperature.data)
        return loss(
            as_features({"coarse": source_values}), as_features({"coarse": target_values}), batch
        ).total

    log_temperature = loss.temperatures["coarse"].logarithm.detach().clone()
    assert torch.autograd.gradcheck(
        lambda s, t: total(s, t, log_temperature),
        (source["coarse"], target["coarse"]),
        fast_mode=True,
    )
    value = total(source["coarse"], target["coarse"], log_temperature)
    (gradient,) = torch.autograd.grad(value, loss.temperatures["coarse"].logarithm)
    step = 1e-6
    higher = total(source["coarse"], target["coarse"], log_temperature + step)
    lower = total(source["coarse"], target["coarse"], log_temperature - step)
    assert gradient.item() == pytest.approx((higher - lower).item() / (2 * step), rel=1e-5)


@pytest.mark.parametrize("options", [{}, {"window": 6}])
def test_nothing_visible_gives_zero_and_zero_gradients(options):
    source, target = random_values(1), random_values(2)
    batch = random_batch(
        visible=torch.zeros(2, 5, dtype=torch.bool), target_pixels=torch.full((2, 5, 2), torch.nan)
    )
    value = loss_of("coarse", "fine", **options)(as_features(source), as_features(target), batch)
    value.total.backward()
    assert value.total.item() == 0
    for values in (*source.values(), *target.values()):
        assert torch.count_nonzero(values.grad) == 0


@pytest.mark.parametrize("options", [{}, {"window": 6}])
def test_corners_of_the_image_count_and_cells_outside_do_not(options):
    pixels = torch.tensor([[0.0, 0.0], [31.0, 23.0], [31.0, 0.0], [0.0, 23.0], [33.0, 10.0]])
    batch = random_batch(
        visible=torch.ones(2, 5, dtype=torch.bool), target_pixels=pixels.double().expand(2, 5, 2)
    )
    source, target = random_values(1), random_values(2)
    value = loss_of("coarse", **options)(as_features(source), as_features(target), batch)
    batch.visible[:, 4] = False
    expected = np.mean(slow_nre(source, target, batch, "coarse", options.get("window")))
    assert value.total.item() == pytest.approx(expected)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("options", [{}, {"window": 6}])
def test_half_precision_and_autocast_lose_nothing_after_the_features(dtype, options):
    source, target = random_values(1, dtype), random_values(2, dtype)
    batch = random_batch()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        value = loss_of("fine", **options)(as_features(source), as_features(target), batch)
    expected = slow_nre(source, target, batch, "fine", options.get("window"))
    assert value.total.item() == pytest.approx(np.mean(expected), rel=1e-5)
    value.total.backward()
    assert source["fine"].grad.isfinite().all()
    assert torch.count_nonzero(target["fine"].grad) > 0


def test_a_learned_temperature_falls_for_good_features_and_keeps_its_bounds():
    features = as_features(random_values(1))
    centres = (random_batch().target_pixels / 2).floor() * 2 + 0.5
    batch = random_batch(target_pixels=centres)
    batch.source_pixels.copy_(centres)
    loss = loss_of("fine", learn_temperature=True)
    optimizer = torch.optim.SGD(loss.parameters(), lr=100.0)
    loss(features, features, batch).total.backward()
    optimizer.step()
    value = loss(features, features, batch)
    assert value.parts["nre/fine_temperature"] == pytest.approx(0.005)
    value.total.backward()
    assert loss.temperatures["fine"].logarithm.grad.isfinite()


def test_windows_lie_where_inference_lays_them():
    values = random_values(3, torch.float32)["fine"].detach()[:1]
    level = FeatureLevel(2, 0.5, values)
    centres = torch.tensor([[3.0, 3.0], [20.2, 9.7], [31.0, 0.0]])
    descriptors = torch.eye(3)
    found = local_log_maps(descriptors, level, centres, 6, TEMPERATURE)
    evidence = window_evidence(
        descriptors / TEMPERATURE,
        torch.zeros(3, dtype=torch.int64),
        values,
        level.pixels_to_cells(centres),
        6,
        1 << 20,
    )
    for point in range(3):
        left, top = found.origins[point].tolist()
        row, column = max(0, -top), max(0, -left)
        correlation = values[0, point, top + row, left + column] / TEMPERATURE
        assert (correlation - evidence[point]).item() == pytest.approx(
            float(found.log_maps[point, row, column]), abs=1e-5
        )


def test_an_unknown_level_is_an_error():
    features = as_features(random_values(1))
    with pytest.raises(ConfigurationError, match=r"no level 'finest' \(it has: coarse, fine\)"):
        loss_of("finest")(features, features, random_batch())
    with pytest.raises(ValidationError, match="listed twice"):
        loss_of("fine", "fine")
