from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from training.scenes import STRIDES, plane_batch, views_of

from dense_reloc_ros.dsm.coordinate_pyramid import (
    LocalFrame,
    coordinate_pyramid,
    coordinates_of_depth,
)
from dense_reloc_ros.dsm.scene_views import LevelPrediction
from dense_reloc_ros.training.losses.scene_coordinate_loss import (
    SceneCoordinateLoss,
    SceneCoordinateLossConfiguration,
    ranking_loss,
    reprojection_errors,
    seen_in_views,
)


def truth_of(batch) -> torch.Tensor:
    return coordinates_of_depth(batch.depth, batch.T_map_camera, batch.intrinsics, STRIDES[-1])


def predictions_of(truth, certainty=0.5, offset=0.0) -> list[LevelPrediction]:
    """The truth moved by `offset` along all axes on every level, zero where there is none."""
    levels = []
    for stride, coordinates in zip(STRIDES, coordinate_pyramid(truth, 2), strict=True):
        size = coordinates[:, 0].shape
        nothing = torch.zeros(size[0], 1, *size[1:])
        coordinates = coordinates.nan_to_num(0.0) + offset
        levels.append(
            LevelPrediction(
                stride,
                coordinates.requires_grad_(),
                torch.full(size, certainty).requires_grad_(),
                nothing[:, :, None].expand(-1, -1, 3, -1, -1),
                nothing,
            )
        )
    return levels


def create(**values) -> SceneCoordinateLoss:
    return SceneCoordinateLoss(SceneCoordinateLossConfiguration(**values))


def test_right_coordinates_cost_nothing():
    batch = plane_batch()
    truth = truth_of(batch)
    loss = create(certainty_weight=0)(predictions_of(truth), views_of(batch), truth, batch)
    assert float(loss.total.detach()) == pytest.approx(0, abs=1e-5)


@pytest.mark.parametrize("seen_only", [False, True])
def test_l1_distance_in_the_local_frame(seen_only):
    batch = plane_batch()
    truth, views = truth_of(batch), views_of(batch)
    truth[:, :, 0, :3] = torch.nan
    loss = create(certainty_weight=0, seen_only=seen_only)
    value = loss(predictions_of(truth, offset=0.1), views, truth, batch)
    frame = LocalFrame.of_views(views.coordinates[-1], views.T_camera_map)
    # Both cameras look along the map's axes: an offset in the map is one along the local axes.
    expected = (0.1 / frame.deviation).sum(1).mean()
    for stride in STRIDES:
        part = value.parts[f"stride_{stride}/coordinates"]
        assert part == pytest.approx(float(expected), rel=1e-3)
    assert float(value.total.detach()) == pytest.approx(2 * float(expected), rel=1e-3)


def test_unknown_and_unseen_coordinates_teach_nothing_and_harm_nothing():
    batch = plane_batch()
    truth, views = truth_of(batch), views_of(batch)
    truth[:, :, :4] = torch.nan
    predictions = predictions_of(truth, offset=0.2)
    create(seen_only=True)(predictions, views, truth, batch).total.backward()
    seen = seen_in_views(truth, views, torch.linalg.inv(batch.T_map_camera), STRIDES[-1], 0.05)
    assert seen.any() and not seen.all()
    gradient = predictions[-1].coordinates.grad
    assert gradient.isfinite().all()
    assert torch.equal(gradient.abs().sum(1) > 0, seen)


def test_batches_without_any_truth_cost_nothing():
    batch = plane_batch()
    truth = torch.full_like(truth_of(batch), torch.nan)
    predictions = predictions_of(truth)
    loss = create()(predictions, views_of(batch), truth, batch)
    loss.total.backward()
    assert float(loss.total.detach()) == 0
    assert (predictions[-1].coordinates.grad == 0).all()


def test_points_are_seen_where_a_view_shows_something_near_them():
    """The scene's camera stands 1 m to the right and sees a wall in 4 m, as the query does."""
    batch = plane_batch()
    truth, views = truth_of(batch), views_of(batch)
    pose = torch.linalg.inv(batch.T_map_camera)
    seen = seen_in_views(truth, views, pose, STRIDES[-1], 0.05)
    # 1 m in 4 m at f = 50 px is 12.5 px: a bit more than 3 of 16 cells.
    columns = torch.arange(truth.shape[-1])
    pixels = columns * STRIDES[-1] + 1.5 - 12.5
    expected = (pixels >= -0.5) & (pixels <= 63.5)
    assert torch.equal(seen, expected.expand_as(seen))
    nearer = replace(views, coordinates=tuple(c * 0.9 for c in views.coordinates))
    assert not seen_in_views(truth, nearer, pose, STRIDES[-1], 0.02).any()


def test_reprojection_errors_are_pixels():
    batch = plane_batch()
    truth = truth_of(batch)
    pose = torch.linalg.inv(batch.T_map_camera)
    right, off = (predictions_of(truth, offset=offset)[-1] for offset in (0.0, 0.08))
    assert (reprojection_errors(right, pose, batch.intrinsics) < 1e-3).all()
    moved = replace(off, coordinates=truth + torch.tensor([0.08, 0, 0])[:, None, None])
    errors = reprojection_errors(moved, pose, batch.intrinsics)
    torch.testing.assert_close(errors, torch.ones_like(errors), atol=1e-3, rtol=0)
    behind = replace(off, coordinates=-truth)
    assert reprojection_errors(behind, pose, batch.intrinsics).isinf().all()


def test_ranking_counts_images_with_correct_pixels_only():
    certainty = torch.rand(3, 4, 4, generator=torch.Generator().manual_seed(0), requires_grad=True)
    correct = certainty.detach() > 0.5
    correct[1] = False
    known = torch.ones_like(correct)
    known[2] = False
    loss = ranking_loss(certainty, correct, known, 11)
    alone = ranking_loss(certainty[:1], correct[:1], known[:1], 11)
    assert float(loss.detach()) == pytest.approx(float(alone.detach()))
    nothing = ranking_loss(certainty[1:], correct[1:], known[1:], 11)
    nothing.backward()
    assert float(nothing.detach()) == 0 and (certainty.grad == 0).all()
