"""Which pixels of a keyframe have a depth, and features that are kept."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from dense_reloc_ros.deviloc.reference_views import (
    MOST_OBSERVED,
    ReferenceViews,
    image_features,
    observed_pixels,
)
from dense_reloc_ros.errors import MapError
from dense_reloc_ros.features.extractor import FeatureExtractor, image_to_tensor
from dense_reloc_ros.features.extractors import create_extractor
from dense_reloc_ros.geometry.se3 import inverse
from dense_reloc_ros.mapping.builder import build_from_depth
from dense_reloc_ros.mapping.dense_describer import DenseDescriber
from dense_reloc_ros.mapping.poor_points import PoorPoints, with_poor_points
from dense_reloc_ros.scene.scene_map import SceneMap


@pytest.fixture(scope="module")
def extractor() -> FeatureExtractor:
    return create_extractor("compact", torch.device("cpu"))


@pytest.fixture(scope="module")
def scene_map(gallery, extractor) -> SceneMap:
    frames = gallery.keyframes()
    built = build_from_depth(frames, DenseDescriber(extractor, 200))
    return replace(built, images=lambda keyframe: frames[keyframe].load_image())


def test_maps_without_images_are_refused(scene_map, extractor):
    with pytest.raises(
        MapError, match="which method 'deviloc' needs: build it with --store-images"
    ):
        ReferenceViews(replace(scene_map, images=None), extractor, 64, "deviloc")


def test_features_are_those_of_the_image_in_half_precision(scene_map, extractor):
    views = ReferenceViews(scene_map, extractor, 64, "deviloc")
    expected = extractor(image_to_tensor(scene_map.images(3)))
    for _ in range(2):
        features = views.features(3)
        for name in ("coarse", "fine"):
            level = features.levels[name]
            assert level.values.dtype == torch.float32
            torch.testing.assert_close(
                level.values, expected.levels[name].values, atol=1e-3, rtol=0
            )
    pixels = torch.tensor([[10.0, 20.0], [300.0, 200.0]])
    assert image_features(views.features(3), pixels).shape == (2, 192)


def test_depths_are_those_of_the_image(gallery, scene_map, extractor):
    features = ReferenceViews(scene_map, extractor, 64, "deviloc").features(4)
    observed = observed_pixels(scene_map, 4, features)
    assert observed.positions.shape == (1, MOST_OBSERVED, 2)
    frame = gallery.keyframes()[4]
    pixels = observed.positions[0].numpy() * 260.0 + [159.5, 119.5]
    columns, rows = np.rint(pixels).astype(int).T
    truth = frame.load_depth()[rows, columns]
    assert np.median(np.abs(observed.depths[0].numpy() / truth - 1)) < 0.005


def test_points_of_neighbours_help_where_a_keyframe_sees_few(scene_map, extractor):
    poor = with_poor_points(scene_map, PoorPoints(0.05))
    features = ReferenceViews(poor, extractor, 64, "deviloc").features(4)
    observed = observed_pixels(poor, 4, features)
    own = poor.observations(4)
    own_count = own.stop - own.start
    assert own_count < observed.depths.shape[1] < MOST_OBSERVED
    T_camera_map = torch.from_numpy(inverse(poor.keyframe_poses[4].numpy()))
    points = poor.points.double() @ T_camera_map[:3, :3].T + T_camera_map[:3, 3]
    depths = points[:, 2].float()
    for depth in observed.depths[0]:
        assert (depths - depth).abs().min() < 1e-4
    in_sight = observed.positions[0].double() * 260.0 + torch.tensor([159.5, 119.5])
    assert ((in_sight >= -0.5) & (in_sight <= torch.tensor([319.5, 239.5]))).all()


def test_keyframes_of_maps_without_points_near_have_none(scene_map, extractor):
    features = ReferenceViews(scene_map, extractor, 64, "deviloc").features(0)
    empty = replace(
        scene_map,
        observation_offsets=torch.zeros_like(scene_map.observation_offsets),
        observation_points=scene_map.observation_points[:0],
        observation_pixels=scene_map.observation_pixels[:0],
    )
    assert observed_pixels(empty, 0, features) is None
