"""Views that show a small part of what keyframes show: which points they are matched with."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from gallery import Gallery, looking

from dense_reloc_ros.configuration import LocalizerConfiguration, RetrievalConfiguration
from dense_reloc_ros.features.extractor import DenseFeatures, image_to_tensor
from dense_reloc_ros.features.extractors import create_extractor
from dense_reloc_ros.geometry.camera import Camera
from dense_reloc_ros.geometry.se3 import pose_error
from dense_reloc_ros.localization.narrow_view import (
    MUTUAL,
    keyframes_in_sight,
    likely_in_sight,
    narrowing,
    widened,
    with_more_keyframes,
)
from dense_reloc_ros.localization.point_choice import DISTINCTIVE, PointChoice, out_of_sight
from dense_reloc_ros.localization.query_view import QueryView
from dense_reloc_ros.localization.result import PoseEstimate
from dense_reloc_ros.localization.sparse_to_dense import SparseToDenseLocalizer
from dense_reloc_ros.pose.evidence import PoseEvidence
from dense_reloc_ros.scene.scene_map import SceneMap
from dense_reloc_ros.scene.selection import all_observations, best_observations

NARROW = Camera(150, 112, 364.0, 364.0, 74.5, 55.5)
"""Nearly a ninth of a keyframe's field, at 1.4 times its focal length."""
YAWS = (40, 75, 215)
TEMPERATURE = 0.04
COUNT = 300


def pose(yaw: int) -> np.ndarray:
    return looking(yaw, distance=0.45, height=1.25, pitch=4.0)


def features_at(gallery: Gallery, yaw: int) -> DenseFeatures:
    extractor = create_extractor("compact", torch.device("cpu"))
    return extractor(image_to_tensor(gallery.render_with(NARROW, pose(yaw)).image))


def chosen(
    scene_map: SceneMap, features: DenseFeatures, keyframes: list[int], choice: PointChoice
) -> torch.Tensor:
    observations = choice.among(all_observations(scene_map, keyframes))
    quality = choice.quality(features, scene_map, observations, TEMPERATURE)
    return best_observations(scene_map, observations, quality, COUNT)


def is_in_sight(scene_map: SceneMap, observations: torch.Tensor, yaw: int, margin: float = 0.0):
    points = scene_map.points[scene_map.observation_points[observations].long()].numpy()
    T_map_camera = pose(yaw)
    in_camera = (points - T_map_camera[:3, 3]) @ T_map_camera[:3, :3]
    pixels = in_camera[:, :2] / in_camera[:, 2:] * NARROW.fx + [NARROW.cx, NARROW.cy]
    size = np.array([NARROW.width, NARROW.height])
    inside = ((pixels >= -margin * size) & (pixels <= (1 + margin) * size)).all(1)
    return inside & (in_camera[:, 2] > 0)


def test_mutual_matches_find_the_points_in_sight_where_distinctive_ones_do_not(gallery, scene_map):
    everywhere = list(range(scene_map.keyframe_count))
    mutual_shares, distinctive_shares = [], []
    for yaw in YAWS:
        features = features_at(gallery, yaw)
        distinctive = chosen(scene_map, features, everywhere, DISTINCTIVE)
        mutual = chosen(scene_map, features, everywhere, MUTUAL)
        assert len(mutual) == COUNT
        assert len(torch.unique(scene_map.observation_points[mutual])) == COUNT
        mutual_shares.append(is_in_sight(scene_map, mutual, yaw).mean())
        distinctive_shares.append(is_in_sight(scene_map, distinctive, yaw).mean())
    assert np.mean(mutual_shares) > 1.8 * np.mean(distinctive_shares)


@pytest.mark.parametrize("yaw", YAWS)
def test_what_is_likely_in_sight_from_a_pose_is_in_the_image_or_just_beside_it(yaw, scene_map):
    keyframes = keyframes_in_sight(scene_map, pose(yaw), NARROW, RetrievalConfiguration())
    nearest = min(range(0, 360, 30), key=lambda other: abs(other - yaw)) // 30
    assert nearest in keyframes[:3]
    choice = likely_in_sight(scene_map, pose(yaw), NARROW)
    likely = choice.among(all_observations(scene_map, keyframes))
    assert is_in_sight(scene_map, likely, yaw, margin=0.16).all()
    seen = all_observations(scene_map, [nearest])
    seen_points = scene_map.observation_points[seen[is_in_sight(scene_map, seen, yaw)]]
    assert torch.isin(seen_points, scene_map.observation_points[likely]).float().mean() > 0.95


def test_a_narrow_view_is_matched_with_more_keyframes():
    options = with_more_keyframes(RetrievalConfiguration(keyframes=8, candidates=10))
    assert (options.keyframes, options.candidates) == (20, 40)


def test_points_in_sight_of_a_pose_are_not_matched_again_where_it_is_contradicted(scene_map):
    observations = all_observations(scene_map, list(range(scene_map.keyframe_count)))
    others = out_of_sight(scene_map, pose(40), NARROW, most=10**6).among(observations)
    assert not is_in_sight(scene_map, others, 40, margin=-0.02).any()
    beside = observations[~is_in_sight(scene_map, observations, 40, margin=0.02)]
    assert 0 < len(beside) < len(observations) - 100
    assert torch.isin(beside, others).all()
    few = out_of_sight(scene_map, pose(40), NARROW, most=50).among(observations)
    assert 25 < len(few) <= 50
    assert torch.isin(few, others).all()
    assert few[0] == others[0] and few[-1] > others[-len(others) // 10]


@pytest.mark.parametrize(("zoom", "enlargement"), [(2, 1.0), (2, 1.4), (3, 1.4)])
def test_a_view_is_narrower_than_a_keyframe_by_its_zoom(zoom, enlargement, scene_map):
    keyframe = scene_map.cameras[0]
    size = enlargement / zoom
    camera = keyframe.scaled(round(size * keyframe.width), round(size * keyframe.height))
    view = replace(
        QueryView.of(np.zeros((camera.height, camera.width, 3), np.uint8), camera),
        enlargement=enlargement,
    )
    assert narrowing(scene_map, view) == pytest.approx(zoom, rel=0.01)


def test_what_is_known_of_a_narrow_view_is_less_sure_everywhere():
    evidence = PoseEvidence(0.5, 100, 200, 0.5, 0.8, 0.2, 0.01, 0.02, 0.3)
    nothing = np.zeros(0, dtype=np.int64)
    estimate = PoseEstimate(np.eye(4), 1e-4 * np.eye(6), 0.6, nothing, (0,), evidence, 2.0)
    wide = widened(estimate, 4.0)
    np.testing.assert_allclose(wide.covariance, 4e-4 * np.eye(6))
    assert wide.evidence == replace(
        evidence, translation_deviation=pytest.approx(0.02), rotation_deviation=pytest.approx(0.04)
    )
    assert (wide.score, wide.depth) == (estimate.score, estimate.depth)


@pytest.mark.parametrize("yaw", [40, 215])
def test_a_narrow_view_is_localized_with_a_covariance_as_wide_as_it_is_narrow(
    yaw, gallery, scene_map, monkeypatch
):
    camera = Camera(320, 240, 2.1 * 260.0, 2.1 * 260.0, 159.5, 119.5)
    image = gallery.render_with(camera, pose(yaw)).image
    localizer = SparseToDenseLocalizer(
        scene_map, LocalizerConfiguration(), torch.device("cpu"), "nre_feature_pnp"
    )
    found = localizer.localize(image, camera).estimate
    error = pose_error(found.T_map_camera, pose(yaw))
    assert error.translation < 0.05
    assert np.degrees(error.rotation) < 2
    monkeypatch.setattr(
        "dense_reloc_ros.localization.single_view.narrowing", lambda scene_map, view: 1.0
    )
    alone = localizer.localize(image, camera).estimate
    np.testing.assert_allclose(alone.T_map_camera, found.T_map_camera)
    np.testing.assert_allclose(found.covariance, 2.1 * alone.covariance, rtol=0.02)
