from __future__ import annotations

import math
from types import SimpleNamespace

import pytest
import torch

from dense_reloc_ros.neurhal.hallucinator import HallucinatedMaps
from dense_reloc_ros.neurhal.padding import CorrespondencePlane
from dense_reloc_ros.neurhal.tasks import Task
from dense_reloc_ros.training.hallucination import Hallucinations
from dense_reloc_ros.training.losses.hallucination_loss import (
    HallucinationLoss,
    HallucinationLossConfiguration,
    neural_errors,
)

PLANE = CorrespondencePlane.around((4, 6), 16, 7.5, 0.5)


def maps(points: int, seed: int = 0) -> HallucinatedMaps:
    generator = torch.Generator().manual_seed(seed)
    values = torch.randn(1, points, PLANE.cell_count, generator=generator, dtype=torch.float64)
    log_maps = values.log_softmax(-1).view(1, points, PLANE.height, PLANE.width)
    return HallucinatedMaps(log_maps, PLANE)


def batch(pixels: list[list[float]], tasks: list[int], counted: list[bool] | None = None):
    return SimpleNamespace(
        target_pixels=torch.tensor([pixels], dtype=torch.float64),
        tasks=torch.tensor([tasks]),
        counted=torch.tensor([counted or [True] * len(pixels)]),
    )


def test_the_error_is_the_bilinear_mean_of_the_four_cells_around_the_truth():
    found = maps(2)
    pixels = torch.tensor([[[7.5 + 16 * 1.25, 7.5 - 16 * 1.5], [-40.5, -24.5]]]).double()
    errors, inside = neural_errors(found, pixels)
    assert inside.tolist() == [[True, True]]
    # The image's cell (0, 0) is the plane's (3, 2).
    log = found.log_maps[0, 0]
    by_hand = 0.5 * (0.75 * log[0, 4] + 0.25 * log[0, 5]) + 0.5 * (
        0.75 * log[1, 4] + 0.25 * log[1, 5]
    )
    assert float(errors[0, 0]) == pytest.approx(-float(by_hand))
    assert float(errors[0, 1]) == pytest.approx(-float(found.log_maps[0, 1, 0, 0]))


def test_uniform_maps_have_the_error_ln_of_the_cells_wherever_the_truth_lies():
    uniform = HallucinatedMaps(
        torch.full((1, 3, PLANE.height, PLANE.width), -math.log(PLANE.cell_count)), PLANE
    )
    truth = batch([[10, 10], [-30, -20], [100, 30]], [0, 1, 2])
    value = HallucinationLoss(HallucinationLossConfiguration())(uniform, truth)
    assert float(value.total) == pytest.approx(math.log(96))
    assert value.parts == pytest.approx(
        dict.fromkeys(("nre/identify", "nre/inpaint", "nre/outpaint"), math.log(96))
    )


def test_points_beyond_the_plane_and_those_that_fill_up_do_not_count():
    found = maps(4)
    truth = batch(
        [[10, 10], [500, 0], [20, 20], [math.nan, 0]], [0, 2, 0, 2], [True, True, False, True]
    )
    value = HallucinationLoss(HallucinationLossConfiguration())(found, truth)
    errors, _ = neural_errors(found, truth.target_pixels)
    assert float(value.total) == pytest.approx(float(errors[0, 0]))
    assert value.parts.keys() == {"nre/identify"}


def test_points_beyond_the_plane_have_the_error_of_elsewhere_where_networks_say_that():
    found = maps(3)
    elsewhere = torch.tensor([[0.2, 0.5, 0.25]], dtype=torch.float64)
    found = HallucinatedMaps(found.log_maps, PLANE, elsewhere.log())
    truth = batch([[10, 10], [500, 0], [1e6, 1e6]], [0, 2, 2], [True, True, False])
    value = HallucinationLoss(HallucinationLossConfiguration())(found, truth)
    errors, _ = neural_errors(found, truth.target_pixels)
    assert float(value.total) == pytest.approx((float(errors[0, 0]) + math.log(2)) / 2)
    assert value.parts["nre/elsewhere"] == pytest.approx(math.log(2))
    assert "nre/outpaint" not in value.parts


def test_nothing_to_learn_from_has_no_gradient():
    found = maps(1)
    found.log_maps.requires_grad_()
    truth = batch([[900, 900]], [2])
    value = HallucinationLoss(HallucinationLossConfiguration())(found, truth)
    value.total.backward()
    assert float(value.total) == 0
    assert float(found.log_maps.grad.abs().sum()) == 0


def test_validation_measures_the_distance_of_the_best_cell_by_task():
    log_maps = torch.full((1, 3, PLANE.height, PLANE.width), -20.0)
    log_maps[0, 0, 2, 3] = log_maps[0, 1, 0, 0] = log_maps[0, 2, 7, 11] = 0.0
    truth = batch(
        [[7.5, 10.5], [-40.5, -20.5], [300, 0]], [Task.IDENTIFY, Task.OUTPAINT, Task.OUTPAINT]
    )
    measured = Hallucinations()
    measured.add(HallucinatedMaps(log_maps, PLANE), truth)
    metrics = measured.metrics()
    assert metrics["uniform"] == pytest.approx(math.log(96))
    assert metrics["error_px/identify"] == pytest.approx(3.0)
    assert metrics["error_px/outpaint"] == pytest.approx(4.0)
    assert math.isnan(metrics["error_px/inpaint"])
