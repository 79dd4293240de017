from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from training.losses.test_scene_coordinate_loss import predictions_of
from training.scenes import STRIDES, plane_batch

from dense_reloc_ros.dsm.coordinate_pyramid import coordinates_of_depth
from dense_reloc_ros.training.scene_localization import Localizations, pose_of


def slanted_batch():
    """The wall of `plane_batch`, nearer at its right side: a pose is well defined."""
    batch = plane_batch()
    slope = torch.linspace(5.0, 3.0, batch.depth.shape[-1])
    return replace(batch, depth=slope.expand_as(batch.depth))


def truth_of(batch) -> torch.Tensor:
    return coordinates_of_depth(batch.depth, batch.T_map_camera, batch.intrinsics, STRIDES[-1])


def finest(coordinates, certainty):
    prediction = predictions_of(coordinates)[-1]
    return replace(prediction, coordinates=coordinates, certainty=certainty)


def test_right_coordinates_give_right_poses():
    batch = slanted_batch()
    truth = truth_of(batch)
    found = Localizations()
    found.add_finest(finest(truth, torch.ones_like(truth[:, 0])), truth, batch)
    metrics = found.metrics()
    assert metrics["coordinates_median_m"] == 0
    assert metrics["coordinates_10cm"] == metrics["pose_5cm_5deg"] == 1
    assert metrics["pose_median_m"] < 1e-3
    assert metrics["pose_median_deg"] < 0.05


def test_coordinates_of_another_place_give_the_pose_there():
    batch = slanted_batch()
    truth = truth_of(batch)
    moved = truth + torch.tensor([0.2, 0, 0])[:, None, None]
    found = Localizations()
    found.add_finest(finest(moved, torch.ones_like(truth[:, 0])), truth, batch)
    metrics = found.metrics()
    assert metrics["pose_median_m"] == pytest.approx(0.2, abs=2e-3)
    assert metrics["coordinates_median_m"] == pytest.approx(0.2, abs=1e-5)
    assert metrics["coordinates_10cm"] == metrics["pose_5cm_5deg"] == 0


def test_poses_come_from_the_certain_half():
    batch = slanted_batch()
    truth = truth_of(batch)
    generator = torch.Generator().manual_seed(0)
    wrong = torch.rand(truth[:, 0].shape, generator=generator) < 0.45
    spoiled = truth + wrong[:, None] * torch.randn(truth.shape, generator=generator)
    certainty = torch.where(wrong, 0.2, 0.8)
    pose = pose_of(finest(spoiled, certainty), 0, batch.intrinsics[0])
    torch.testing.assert_close(pose, torch.eye(4), atol=1e-3, rtol=0)
    # All that is certain is wrong: there is nothing to be found.
    nowhere = truth + torch.randn(truth.shape, generator=generator)
    found = Localizations()
    found.add_finest(finest(nowhere.where(wrong[:, None], truth), 1 - certainty), truth, batch)
    assert found.metrics()["pose_5cm_5deg"] == 0


def test_coordinates_that_do_not_count_are_left_out():
    batch = slanted_batch()
    truth = truth_of(batch)
    predicted = truth + 1
    predicted[:, :, :6] = truth[:, :, :6]
    counted = truth.clone()
    counted[:, :, 6:] = torch.nan
    found = Localizations()
    found.add_finest(finest(predicted, torch.ones_like(truth[:, 0])), counted, batch)
    assert found.metrics()["coordinates_10cm"] == 1
    nothing = Localizations()
    unknown = torch.full_like(truth, torch.nan)
    nothing.add_finest(finest(predicted, torch.ones_like(truth[:, 0])), unknown, batch)
    assert math.isnan(nothing.metrics()["coordinates_median_m"])
