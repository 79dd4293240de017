from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from dsm.random_scene import rigid_pose
from torch.nn.functional import normalize

from dense_reloc_ros.dsm.coordinate_pyramid import coordinate_pyramid, coordinates_of_depth
from dense_reloc_ros.dsm.scene_matcher import (
    SceneMatcher,
    create_scene_matcher,
)
from dense_reloc_ros.dsm.scene_views import PreviousFrame, SceneViews
from dense_reloc_ros.errors import ConfigurationError

HEIGHT, WIDTH = 64, 96
CAMERA = torch.tensor([80.0, 80.0, (WIDTH - 1) / 2, (HEIGHT - 1) / 2])


@pytest.fixture(scope="module")
def matcher() -> SceneMatcher:
    torch.manual_seed(0)
    return create_scene_matcher("dsm_compact").eval().requires_grad_(False)


def scene(matcher: SceneMatcher, views: int = 3) -> SceneViews:
    """Images of smooth surfaces in which every cell has features of its own."""
    generator = torch.Generator().manual_seed(1)
    depth = 3 + torch.rand(views, 1, 4, 6, generator=generator)
    depth = torch.nn.functional.interpolate(depth, (HEIGHT, WIDTH), mode="bicubic")[:, 0]
    poses = torch.stack([rigid_pose(20 + n) for n in range(views)]).float()
    finest = coordinates_of_depth(
        depth, torch.linalg.inv(poses), CAMERA.expand(views, 4), matcher.strides[-1]
    )
    features = []
    for stride, channels in zip(matcher.strides, matcher.features.channels, strict=True):
        values = torch.randn(
            1, views, channels, HEIGHT // stride, WIDTH // stride, generator=generator
        )
        features.append(normalize(values, dim=2))
    return SceneViews(
        tuple(features),
        coordinate_pyramid(finest[None], len(matcher.strides)),
        poses[None],
        CAMERA.expand(1, views, 4),
    )


def view_as_query(views: SceneViews, view: int) -> tuple[torch.Tensor, ...]:
    return tuple(level[:, view] for level in views.features)


@pytest.mark.parametrize("view", [0, 2])
def test_a_scene_image_as_query_gets_its_own_coordinates(matcher, view):
    views = scene(matcher)
    predictions = matcher.match(view_as_query(views, view), views)
    assert [one.stride for one in predictions] == list(matcher.strides) == [8, 4]
    for prediction, coordinates in zip(predictions, views.coordinates, strict=True):
        error = (prediction.coordinates - coordinates[:, view]).norm(dim=1)
        assert error.median() < 0.02
        torch.testing.assert_close(prediction.candidates[:, 0], coordinates[:, view])
        falling = prediction.correlations.diff(dim=1) <= 0
        assert falling.all()
        assert prediction.certainty.shape == error.shape


def test_predictions_move_with_the_map(matcher):
    views = scene(matcher)
    T_other_map = rigid_pose(5).float()
    moved = replace(
        views,
        coordinates=tuple(
            torch.einsum("ij,bnjhw->bnihw", T_other_map[:3, :3], level)
            + T_other_map[:3, 3, None, None]
            for level in views.coordinates
        ),
        T_camera_map=views.T_camera_map @ torch.linalg.inv(T_other_map),
    )
    query = view_as_query(views, 1)
    here, there = matcher.match(query, views)[-1], matcher.match(query, moved)[-1]
    expected = torch.einsum("ij,bjhw->bihw", T_other_map[:3, :3], here.coordinates)
    expected = expected + T_other_map[:3, 3, None, None]
    assert (there.coordinates - expected).norm(dim=1).quantile(0.95) < 1e-3
    means = [prediction.certainty.mean((-2, -1)) for prediction in (there, here)]
    torch.testing.assert_close(*means, atol=0.01, rtol=0)


def test_the_order_of_the_views_after_the_first_does_not_matter(matcher):
    views, order = scene(matcher), [0, 2, 1]
    turned = SceneViews(
        tuple(level[:, order] for level in views.features),
        tuple(level[:, order] for level in views.coordinates),
        views.T_camera_map[:, order],
        views.intrinsics[:, order],
    )
    query = view_as_query(views, 1)
    here, there = matcher.match(query, views)[-1], matcher.match(query, turned)[-1]
    torch.testing.assert_close(here.coordinates, there.coordinates, atol=1e-4, rtol=0)


def noisy(pyramid: tuple[torch.Tensor, ...], noise: float) -> tuple[torch.Tensor, ...]:
    generator = torch.Generator().manual_seed(8)
    return tuple(
        normalize(
            level + noise * normalize(torch.randn(level.shape, generator=generator), dim=1), dim=1
        )
        for level in pyramid
    )


def test_the_previous_frame_repairs_what_does_not_match_the_scene(matcher):
    """A query unlike the scene image that was taken where it was, but like the frame before it."""
    views = scene(matcher)
    query = noisy(view_as_query(views, 1), noise=4.0)
    previous = PreviousFrame(query, views.T_camera_map[:, 1], views.intrinsics[:, 1])
    truth = views.coordinates[-1][:, 1]
    alone = matcher.match(query, views)[-1]
    together = matcher.match(query, views, previous, torch.zeros(1))[-1]
    errors = [(one.coordinates - truth).norm(dim=1).median() for one in (alone, together)]
    assert errors[1] < 0.2 * errors[0]
    sure = matcher.match(query, views, previous, torch.full((1,), 0.6))[-1]
    torch.testing.assert_close(sure.coordinates, alone.coordinates)


def test_a_previous_frame_needs_a_confidence(matcher):
    views = scene(matcher)
    query = view_as_query(views, 0)
    previous = PreviousFrame(query, views.T_camera_map[:, 0], views.intrinsics[:, 0])
    with pytest.raises(ValueError, match="confidence"):
        matcher.match(query, views, previous)


def test_views_without_coordinates_are_survived(matcher):
    views = scene(matcher)
    nothing = tuple(torch.full_like(level, torch.nan) for level in views.coordinates)
    for prediction in matcher.match(view_as_query(views, 0), replace(views, coordinates=nothing)):
        assert prediction.coordinates.isfinite().all()
        assert prediction.certainty.isfinite().all()
        assert (prediction.correlations == 0).all()
        assert prediction.candidates.isnan().all()


def test_the_papers_network_predicts_on_all_levels_and_learns_everywhere():
    torch.manual_seed(0)
    matcher = create_scene_matcher("dsm")
    assert matcher.image_size == (384, 512)
    images = torch.rand(3, 3, HEIGHT, WIDTH, generator=torch.Generator().manual_seed(0))
    features = matcher.pyramid(images)
    small = scene(create_scene_matcher("dsm_compact"), views=2)
    views = SceneViews(
        tuple(level[None, 1:] for level in features),
        coordinate_pyramid(small.coordinates[-1], 4),
        small.T_camera_map,
        small.intrinsics,
    )
    predictions = matcher.match(tuple(level[:1] for level in features), views)
    assert [one.stride for one in predictions] == [32, 16, 8, 4]
    assert [one.coordinates.shape[-2:] for one in predictions] == [
        (2, 3),
        (4, 6),
        (8, 12),
        (16, 24),
    ]
    assert all(one.candidates.shape[1] == 16 for one in predictions)
    sum(one.coordinates.square().mean() + one.certainty.mean() for one in predictions).backward()
    for name, parameter in matcher.named_parameters():
        assert parameter.grad is not None and parameter.grad.isfinite().all(), name


def test_unknown_variants_are_named():
    with pytest.raises(ConfigurationError, match="dsm_compact"):
        create_scene_matcher("dsm_large")
