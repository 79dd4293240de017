"""Keyframes as views: what lies where, and how much of it is kept."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from dsm.knowing_matcher import KnowingMatcher
from gallery import CAMERA

from dense_reloc_ros.dsm.keyframe_views import KeyframeViews
from dense_reloc_ros.errors import MapError
from dense_reloc_ros.scene.reader import load_map
from dense_reloc_ros.scene.scene_map import SceneMap

CPU = torch.device("cpu")
PLENTY = 1 << 30


@pytest.fixture(scope="module")
def scene_map(map_path) -> SceneMap:
    return load_map(map_path)


def missed_pixels(points: np.ndarray, T_camera_map: np.ndarray, intrinsics: np.ndarray, stride):
    """Distances (h, w) from the centres of cells to where points (h, w, 3) are seen."""
    local = points @ T_camera_map[:3, :3].T + T_camera_map[:3, 3]
    pixels = local[..., :2] / local[..., 2:] * intrinsics[:2] + intrinsics[2:]
    rows, columns = np.indices(points.shape[:2])
    centres = np.stack([columns, rows], axis=-1) * stride + (stride - 1) / 2
    return np.linalg.norm(pixels - centres, axis=-1)


def test_views_see_their_coordinates_at_their_cells(scene_map):
    matcher = KnowingMatcher()
    views = KeyframeViews(scene_map, matcher, CPU).of([5, 2], PLENTY)
    assert [tuple(level.shape) for level in views.features] == [
        (1, 2, 3, 24, 32),
        (1, 2, 3, 48, 64),
    ]
    for which, keyframe in enumerate((5, 2)):
        T_camera_map = views.T_camera_map[0, which].numpy()
        product = T_camera_map @ scene_map.keyframe_poses[keyframe].numpy()
        np.testing.assert_allclose(product, np.eye(4), atol=1e-5)
        for stride, level in zip((8, 4), views.coordinates, strict=True):
            points = level[0, which].permute(1, 2, 0).numpy()
            missed = missed_pixels(points, T_camera_map, views.intrinsics[0, which].numpy(), stride)
            # The mean of four points is not exactly in the middle; the finest are exact.
            assert np.nanmedian(missed) < (0.01 if stride == 4 else 0.1)
            assert np.isfinite(missed).mean() > 0.9


def test_features_are_those_of_the_keyframes_images(scene_map, gallery):
    matcher = KnowingMatcher()
    views = KeyframeViews(scene_map, matcher, CPU).of([4], PLENTY)
    image = gallery.keyframes()[4].load_image().astype(np.float64) / 255
    # A cell of the finest level is 5 x 5 pixels of the camera's 320 x 240; stored as JPEG.
    expected = image.reshape(48, 5, 64, 5, 3).mean(axis=(1, 3))
    difference = views.features[1][0, 0].permute(1, 2, 0).numpy() - expected
    assert np.abs(difference).mean() < 0.01
    assert views.intrinsics[0, 0, 0] == pytest.approx(CAMERA.fx * 256 / 320)
    assert views.intrinsics[0, 0, 3] == pytest.approx(120 * 192 / 240 - 0.5)


def test_coordinates_are_resampled_for_networks_of_another_size(scene_map):
    matcher = KnowingMatcher(image_size=(384, 512), strides=(16, 8, 4))
    views = KeyframeViews(scene_map, matcher, CPU).of([1], PLENTY)
    finest = views.coordinates[-1][0, 0].permute(1, 2, 0).numpy()
    assert finest.shape == (96, 128, 3)
    intrinsics = views.intrinsics[0, 0].numpy()
    missed = missed_pixels(finest, views.T_camera_map[0, 0].numpy(), intrinsics, 4)
    assert np.nanmax(missed) < 0.01
    stored = scene_map.coordinates[1].numpy()
    # Twice as fine: the points around a stored one lie around it, on a surface up to 5 m away.
    gaps = np.linalg.norm(finest.reshape(48, 2, 64, 2, 3).mean(axis=(1, 3)) - stored, axis=-1)
    assert np.nanmedian(gaps) < 0.005


def test_unknown_coordinates_stay_unknown(scene_map):
    coordinates = scene_map.coordinates.clone()
    coordinates[0, :24] = torch.nan
    unknown = replace(scene_map, coordinates=coordinates)
    views = KeyframeViews(unknown, KnowingMatcher(image_size=(384, 512)), CPU).of([0], PLENTY)
    finest = views.coordinates[-1][0, 0, 0]
    assert finest[:48].isnan().all()
    assert finest[48:].isfinite().float().mean() > 0.9


def test_views_are_computed_once_and_only_so_many_are_kept(scene_map):
    matcher = KnowingMatcher()
    views = KeyframeViews(scene_map, matcher, CPU)
    first = views.of([0, 1], PLENTY)
    size = views.cached_bytes / 2
    assert size == 4 * 6 * (48 * 64 + 24 * 32)
    again = views.of([1, 0], PLENTY)
    assert len(matcher.images) == 2
    torch.testing.assert_close(again.features[1][0, 1], first.features[1][0, 0])
    views.of([2], int(2.5 * size))
    assert len(matcher.images) == 3
    assert views.cached_bytes == 2 * size
    views.of([0], PLENTY)
    assert len(matcher.images) == 3
    views.of([1], PLENTY)
    assert len(matcher.images) == 4
    # More than may be kept can be asked for.
    assert views.of(range(6), 0).features[1].shape[1] == 6
    assert views.cached_bytes == 0


@pytest.mark.parametrize("missing", ["coordinates", "images"])
def test_maps_without_what_is_needed_are_refused(scene_map, missing):
    with pytest.raises(MapError, match="'dsm_compact' needs: build it with --coordinates"):
        KeyframeViews(replace(scene_map, **{missing: None}), KnowingMatcher(), CPU)
