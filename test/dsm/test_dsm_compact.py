"""The method as it ships in a room that it has not seen: what it localizes, and what not."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from gallery import CAMERA, looking

from dense_reloc_ros.configuration import LocalizerConfiguration
from dense_reloc_ros.evaluation.metrics.scene_coordinates import coordinate_errors
from dense_reloc_ros.geometry.se3 import pose_error
from dense_reloc_ros.localization.dense_scene_matching import DsmLocalizer
from dense_reloc_ros.localization.factory import open_localizer
from dense_reloc_ros.rendering.photographs import photograph
from dense_reloc_ros.temporal.dsm_video import DsmVideo


@pytest.fixture(scope="module")
def localizer(map_path) -> DsmLocalizer:
    opened = open_localizer(map_path, LocalizerConfiguration(), "dsm_compact", "cpu")
    assert isinstance(opened, DsmLocalizer)
    return opened


@pytest.mark.parametrize("yaw", [15, 110])
def test_views_of_the_room_are_localized(gallery, localizer, yaw):
    pose = looking(yaw, distance=0.3, height=1.3, pitch=2.0)
    view = gallery.render(pose)
    result = localizer.localize(view.image, CAMERA)
    assert result.is_localized, result.reason
    error = pose_error(result.T_map_camera, pose)
    assert error.translation < 0.08
    assert error.rotation < np.deg2rad(2.0)
    errors = coordinate_errors(result.coordinates, view.depth, CAMERA, pose)
    assert np.median(errors.points) < 0.08
    # What is more similar is nearer (Fig. 7 of the paper).
    assert errors.candidates[0] < errors.candidates[5] < errors.candidates[15]


def test_the_frame_before_makes_better_candidates(gallery, localizer):
    video = DsmVideo(localizer)
    candidates = []
    for step in range(2):
        pose = looking(200.0 + step, distance=0.3, height=1.3, pitch=2.0)
        view = gallery.render(pose)
        # So that the image by itself is not sure.
        image = np.asarray(cv2.GaussianBlur(view.image, (0, 0), 7.0), dtype=np.uint8)
        alone = localizer.localize(image, CAMERA)
        helped = video.localize(image, CAMERA, 10**9 + step * 10**8)
        assert helped.is_localized, helped.reason
        candidates.append(
            [
                coordinate_errors(result.coordinates, view.depth, CAMERA, pose).candidates.mean()
                for result in (alone, helped)
            ]
        )
    assert candidates[0][0] == pytest.approx(candidates[0][1])
    assert candidates[1][1] < candidates[1][0]


def mirrored(view: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(view[:, ::-1])


def foreign(view: np.ndarray) -> np.ndarray:
    return cv2.resize(photograph("hubble_deep_field"), view.shape[1::-1])


@pytest.mark.parametrize("picture", [mirrored, foreign, np.zeros_like])
def test_what_is_no_picture_of_the_room_is_not_localized(gallery, localizer, picture):
    view = gallery.render(looking(15, distance=0.3, height=1.3, pitch=2.0)).image
    result = localizer.localize(picture(view), CAMERA)
    assert not result.is_localized
    assert result.reason
