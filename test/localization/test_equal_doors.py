"""What shows one of several equal places is not published as if it were one of them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from corridors import corridor_localizer

from dense_reloc_ros.configuration import LocalizerConfiguration
from dense_reloc_ros.features.extractor import image_to_tensor
from dense_reloc_ros.geometry.camera import Camera
from dense_reloc_ros.geometry.se3 import pose_error, shifted
from dense_reloc_ros.localization.factory import localizer_for
from dense_reloc_ros.localization.result import Status
from dense_reloc_ros.localization.sparse_to_dense import SparseToDenseLocalizer
from dense_reloc_ros.rendering.corridor import (
    SECTION,
    WIDTH,
    corridor_of_doors,
    door_position,
    facing_doors,
)
from dense_reloc_ros.rendering.furniture import upright_pose
from dense_reloc_ros.rendering.raycaster import Raycaster
from dense_reloc_ros.retrieval.look_alikes import in_sight, look_alikes
from dense_reloc_ros.retrieval.places import rank_keyframes

CAMERA = Camera(320, 240, 260.0, 260.0, 159.5, 119.5)
DOORS = 3
OPTICAL_ALONG_X = np.array([[0.0, 0, 1, 0], [-1, 0, 0, 0], [0, -1, 0, 0], [0, 0, 0, 1]])


def towards_the_end(x: float, y: float, yaw: float) -> np.ndarray:
    """T_map_camera that looks along the corridor at the end with the motorcycle."""
    return upright_pose((x, y, 1.3), yaw) @ OPTICAL_ALONG_X


@pytest.fixture(scope="module")
def raycaster() -> Raycaster:
    return Raycaster(corridor_of_doors(1, DOORS))


@pytest.fixture(scope="module")
def localizer(raycaster: Raycaster) -> SparseToDenseLocalizer:
    half = DOORS * SECTION / 2
    poses = [
        *facing_doors(np.arange(-half + 0.6, half - 0.59, 0.3), 0),
        *(towards_the_end(half - 2.5, y, 0.1 * y) for y in (-0.6, 0.0, 0.6)),
    ]
    return corridor_localizer(raycaster, CAMERA, poses)


@pytest.mark.parametrize("aside", [-0.3, 0.0, 0.3])
@pytest.mark.parametrize("door", range(DOORS))
def test_no_door_is_taken_for_sure(door, aside, raycaster, localizer):
    """The nearest keyframe shows it from elsewhere than the others show theirs; it says little."""
    truth = facing_doors(np.array([door_position(door, DOORS) + aside]), 7)[0]
    found = localizer.localize(raycaster.render(CAMERA, truth).image, CAMERA)
    assert found.status is Status.REJECTED
    assert found.reason.startswith("ambiguous: a pose elsewhere has ")
    off = found.estimate.T_map_camera[:3, 3] - truth[:3, 3]
    sections = off[0] / SECTION
    assert sections == pytest.approx(round(sections), abs=0.02)
    assert np.abs(off[1:]).max() < 0.05


def test_what_stands_there_once_is_found(raycaster, localizer):
    truth = towards_the_end(DOORS * SECTION / 2 - 2.2, 0.2, 0.05)
    found = localizer.localize(raycaster.render(CAMERA, truth).image, CAMERA)
    assert found.is_localized, found.reason
    assert pose_error(found.T_map_camera, truth).translation < 0.05
    assert found.estimate.evidence.equals < 1e-3


def deviations(metres: float, radians: float) -> np.ndarray:
    return np.diag([metres**2] * 3 + [radians**2] * 3)


@pytest.mark.parametrize("aside", [-0.3, 0.3])
@pytest.mark.parametrize("door", range(DOORS))
def test_a_prior_tells_which_of_equal_doors_it_is(door, aside, raycaster, localizer):
    truth = facing_doors(np.array([door_position(door, DOORS) + aside]), 7)[0]
    prior = shifted(truth, np.array([0.3, -0.2, 0.1]))
    image = raycaster.render(CAMERA, truth).image
    found = localizer.localize(image, CAMERA, prior, deviations(0.3, 0.2))
    assert found.is_localized, found.reason
    error = pose_error(found.T_map_camera, truth)
    assert error.translation < 0.06 and np.degrees(error.rotation) < 1.5


def test_a_prior_that_leaves_room_for_several_doors_chooses_none(raycaster, localizer):
    truth = facing_doors(np.array([door_position(1, DOORS)]), 7)[0]
    image = raycaster.render(CAMERA, truth).image
    found = localizer.localize(image, CAMERA, truth, deviations(2.0, 0.2))
    assert found.status is Status.REJECTED
    assert found.reason.startswith("ambiguous")


def test_a_prior_that_the_image_contradicts_is_dropped(raycaster, localizer):
    """It says that the robot is at a door, and the image shows the end of the corridor."""
    truth = towards_the_end(DOORS * SECTION / 2 - 2.2, 0.2, 0.05)
    prior = facing_doors(np.array([door_position(0, DOORS)]), 7)[0]
    image = raycaster.render(CAMERA, truth).image
    found = localizer.localize(image, CAMERA, prior, deviations(0.3, 0.2))
    assert found.is_localized, found.reason
    assert pose_error(found.T_map_camera, truth).translation < 0.05


def test_a_robot_that_can_bear_it_gets_doors_with_the_probability_they_have(raycaster, localizer):
    some = LocalizerConfiguration()
    verification = some.verification.model_copy(update={"least_confidence": 0.2})
    lenient = localizer_for(
        localizer.scene_map,
        some.model_copy(update={"verification": verification}),
        None,
        torch.device("cpu"),
    )
    truth = facing_doors(np.array([door_position(1, DOORS)]), 7)[0]
    found = lenient.localize(raycaster.render(CAMERA, truth).image, CAMERA)
    assert found.is_localized
    assert found.estimate.confidence <= 0.5


@torch.inference_mode()
def test_look_alikes_are_keyframes_that_a_pose_does_not_explain(raycaster, localizer):
    scene_map, options = localizer.scene_map, localizer.configuration.retrieval
    truth = facing_doors(np.array([door_position(1, DOORS)]), 7)[0]
    image = raycaster.render(CAMERA, truth).image
    features = localizer.extractor(image_to_tensor(image, torch.device("cpu")))
    ranked = rank_keyframes(features, scene_map, options)
    found = look_alikes(ranked, scene_map, options, truth, CAMERA)
    assert found
    away = scene_map.keyframe_poses[found, 0, 3].numpy() - truth[0, 3]
    assert (np.abs(away) > 1.2).all()
    strange = replace(CAMERA, fx=1e-3, fy=1e-3)  # has everything in front of it in its image
    assert look_alikes(ranked, scene_map, options, truth, strange) == []


def test_points_are_in_sight_where_they_project_into_the_image():
    T_map_camera = upright_pose((0, 0, 1.0), np.pi / 2) @ OPTICAL_ALONG_X
    away = WIDTH / 2
    edge = away * 159.5 / 260.0
    points = [[0, away, 1], [edge - 0.01, away, 1], [edge + 0.01, away, 1], [0, -away, 1]]
    seen = in_sight(np.array(points), T_map_camera, CAMERA)
    assert seen.tolist() == [True, True, False, False]
