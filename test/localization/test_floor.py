"""Localizations of a camera on a robot that stands on a floor."""

from __future__ import annotations

import numpy as np
import pytest
from nodes.fake_localizer import localized, rejected
from scipy.spatial.transform import Rotation

from dense_reloc_ros.geometry.arrays import FloatArray
from dense_reloc_ros.geometry.planar import planar_pose
from dense_reloc_ros.geometry.se3 import inverse, pose_error, rigid, shifted
from dense_reloc_ros.localization.floor import FloorConfiguration, FloorConstraint
from dense_reloc_ros.localization.result import Localization, Status

T_BASE_CAMERA = rigid(
    Rotation.from_euler("xyz", [-110.0, 0.0, -90.0], degrees=True).as_matrix(),
    np.array([0.3, 0.05, 1.2]),
)
"""1.2 m above the floor, and 20 degrees down."""
T_MAP_BASE = planar_pose((2.0, 3.0, 0.7), 0.0)
COVARIANCE = np.diag(np.square([0.05, 0.05, 0.05, 0.02, 0.02, 0.02]))


def floor(**parameters: float) -> FloorConstraint:
    return FloorConstraint.of(FloorConfiguration(**parameters), inverse(T_BASE_CAMERA))


def camera_off(change: FloatArray) -> FloatArray:
    """The camera's pose where it is measured off by so much, along and about the map's axes."""
    truth = T_MAP_BASE @ T_BASE_CAMERA
    turn = Rotation.from_rotvec(change[3:]).as_matrix()
    return rigid(turn @ truth[:3, :3], truth[:3, 3] + change[:3])


def base_of(localization: Localization) -> FloatArray:
    assert localization.T_map_camera is not None
    return localization.T_map_camera @ inverse(T_BASE_CAMERA)


def test_the_base_is_on_the_floor_and_nearer_to_where_it_is() -> None:
    """Of a camera whose tilt errs by 2 degrees as its place does, the floor tells both."""
    pitch, ahead = 0.035, -0.05
    axis = T_MAP_BASE[:3, 1] * pitch
    change = np.concatenate([T_MAP_BASE[:3, 0] * ahead, axis])
    covariance = COVARIANCE * 1e-4 + np.outer(change, change)
    measured = localized(camera_off(change), covariance)
    found = floor().apply(measured)
    assert found.is_localized
    base = base_of(found)
    np.testing.assert_allclose(base[2], [0, 0, 1, 0], atol=1e-12)
    assert pose_error(base_of(measured), T_MAP_BASE).translation > 0.08
    assert pose_error(base, T_MAP_BASE).translation < 0.02
    before, after = measured.estimate, found.estimate
    assert before is not None
    assert after is not None
    assert np.trace(after.covariance) < np.trace(before.covariance)
    assert np.linalg.eigvalsh(after.covariance).min() > 0


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ([0, 0, 0.5, 0, 0, 0], "it is +0.50 m off its height and 0.0 degrees off upright"),
        ([0, 0, -0.3, 0, 0, 0], "it is -0.30 m off its height and 0.0 degrees off upright"),
        ([0, 0, 0, np.pi, 0, 0], "180.0 degrees off upright"),
    ],
)
def test_a_pose_that_contradicts_the_floor_is_rejected(change: list[float], said: str) -> None:
    measured = localized(camera_off(np.array(change)), COVARIANCE)
    found = floor().apply(measured)
    assert found.status is Status.REJECTED
    assert found.reason.startswith("the pose contradicts the floor: it is ")
    assert said in found.reason
    assert found.estimate is measured.estimate


def test_what_is_allowed_is_a_matter_of_covariance_and_deviations() -> None:
    """The gate of 0.9999 is a squared distance of 21.1: 4.6 deviations of one value."""
    lifted = np.array([0, 0, 0.5, 0, 0, 0])
    sure = localized(camera_off(lifted), COVARIANCE)
    assert not floor(deviation_m=0.07).apply(sure).is_localized
    assert floor(deviation_m=0.15).apply(sure).is_localized
    assert floor(height=0.45).apply(sure).is_localized
    assert floor().apply(localized(camera_off(lifted), COVARIANCE * 9)).is_localized


def test_a_camera_whose_mount_is_not_known_has_no_pose() -> None:
    found = FloorConstraint.of(FloorConfiguration(), None).apply(localized(np.eye(4)))
    assert found.status is Status.REJECTED
    assert found.reason == "nothing on TF says how the camera stands over the floor"


def test_a_frame_without_a_pose_stays_as_it_is() -> None:
    single = rejected()
    assert floor().apply(single) is single


def test_a_floor_moves_with_the_origin() -> None:
    offset = np.array([500.0, -300.0, 80.0])
    measured = localized(camera_off(np.array([0.02, 0, 0.05, 0.01, 0, 0])), COVARIANCE)
    there = floor().shifted(offset).apply(measured.shifted(offset))
    here = floor().apply(measured)
    assert here.T_map_camera is not None
    np.testing.assert_allclose(there.T_map_camera, shifted(here.T_map_camera, offset), atol=1e-9)
