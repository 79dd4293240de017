"""The classical reference on images of a wall whose poses are known exactly."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from scene.small_map import make_map
from scene.wall import CAMERA, wall_frame

from dense_reloc_ros.configuration import LocalizerConfiguration
from dense_reloc_ros.errors import MapError
from dense_reloc_ros.geometry.se3 import pose_error
from dense_reloc_ros.localization.factory import localizer_for
from dense_reloc_ros.localization.result import Status
from dense_reloc_ros.localization.sift_pnp import SiftPnpLocalizer
from dense_reloc_ros.mapping.builder import build_from_depth
from dense_reloc_ros.mapping.sparse_describer import RootSiftDescriber
from dense_reloc_ros.parameter_blocks import block_from_mapping
from dense_reloc_ros.scene.scene_map import SceneMap

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def scene_map() -> SceneMap:
    frames = [wall_frame(k, (0.3 * k - 0.5, 0.2 * (k % 2), 0.0), 3.0 * k) for k in range(4)]
    return build_from_depth(frames, RootSiftDescriber())


def open_localizer(scene_map: SceneMap, **verification: float) -> SiftPnpLocalizer:
    configuration = block_from_mapping(LocalizerConfiguration, {"verification": verification})
    localizer = localizer_for(scene_map, configuration, None, CPU)
    assert isinstance(localizer, SiftPnpLocalizer)
    return localizer


@pytest.mark.parametrize("brightness", [1.0, 0.1])
def test_a_new_view_is_localized_also_in_the_dark(scene_map, brightness):
    frame = wall_frame(9, (0.05, 0.1, 0.15), 4.0)
    image = np.rint(frame.load_image() * brightness).astype(np.uint8)
    result = open_localizer(scene_map).localize(image, CAMERA)
    assert result.status is Status.LOCALIZED
    assert result.estimate is not None
    error = pose_error(result.estimate.T_map_camera, frame.known_pose())
    # A pixel is 1.3 cm on the wall.
    assert error.translation < 0.02
    assert error.rotation < np.deg2rad(0.6)
    assert result.estimate.keyframes[0] in (1, 2)
    assert sorted(result.estimate.keyframes) == [0, 1, 2, 3]
    assert set(result.stage_milliseconds) >= {"features", "retrieval", "matching", "pose"}


def test_supporting_points_are_seen_in_the_image(scene_map):
    frame = wall_frame(9, (0.05, 0.1, 0.15), 4.0)
    estimate = open_localizer(scene_map).localize(frame.load_image(), CAMERA).estimate
    assert estimate is not None
    supporting = estimate.supporting_points
    assert len(np.unique(supporting)) == len(supporting) > 20
    points = scene_map.points[torch.from_numpy(supporting)].numpy()
    T_map_camera = frame.known_pose()
    local = (points - T_map_camera[:3, 3]) @ T_map_camera[:3, :3]
    pixels = local[:, :2] / local[:, 2:] * CAMERA.fx + [CAMERA.cx, CAMERA.cy]
    assert (pixels > -3).all()
    assert (pixels < [CAMERA.width + 3, CAMERA.height + 3]).all()


def test_another_place_is_not_believed(scene_map):
    noise = np.random.default_rng(0).integers(0, 256, (12, 16, 3), dtype=np.uint8)
    elsewhere = noise.repeat(10, axis=0).repeat(10, axis=1)
    result = open_localizer(scene_map).localize(elsewhere, CAMERA)
    assert result.status in (Status.REJECTED, Status.NO_CANDIDATES)
    assert result.T_map_camera is None


def test_an_image_without_anything_has_no_candidates(scene_map):
    flat = np.full((CAMERA.height, CAMERA.width, 3), 80, np.uint8)
    assert open_localizer(scene_map).localize(flat, CAMERA).status is Status.NO_CANDIDATES


@pytest.mark.parametrize(
    ("threshold", "status"), [(0.99, Status.REJECTED), (0.0, Status.LOCALIZED)]
)
def test_the_configured_threshold_decides(scene_map, threshold, status):
    image = wall_frame(9, (0.05, 0.1, 0.15), 4.0).load_image()
    localizer = open_localizer(scene_map, score_threshold=threshold)
    assert localizer.score_threshold == threshold
    assert localizer.localize(image, CAMERA).status is status


def test_the_maps_threshold_decides_where_none_is_configured(scene_map):
    calibration = scene_map.information.calibration.model_copy(update={"score_threshold": 0.7})
    information = scene_map.information.model_copy(update={"calibration": calibration})
    assert open_localizer(replace(scene_map, information=information)).score_threshold == 0.7


def test_maps_of_other_features_are_refused():
    with pytest.raises(MapError, match="build it anew"):
        SiftPnpLocalizer(make_map(), LocalizerConfiguration(), CPU)
