"""The poses of a robot on a floor, filtered: those of the floor, and better for it."""

from __future__ import annotations

import numpy as np
import pytest
from nodes.fake_localizer import FakeLocalizer, localized
from scipy.spatial.transform import Rotation

from dense_reloc_ros.geometry.arrays import FloatArray
from dense_reloc_ros.geometry.camera import Camera
from dense_reloc_ros.geometry.planar import planar_pose
from dense_reloc_ros.geometry.se3 import inverse, pose_error, rigid
from dense_reloc_ros.localization.floor import FloorConfiguration, FloorConstraint
from dense_reloc_ros.temporal.fused_frames import LocalizedFrame
from dense_reloc_ros.temporal.fusion_configuration import TemporalConfiguration
from dense_reloc_ros.temporal.temporal_localizer import TemporalLocalizer

HEIGHT = 0.1
T_BASE_CAMERA = rigid(
    Rotation.from_euler("xyz", [-100.0, 0.0, -90.0], degrees=True).as_matrix(),
    np.array([0.3, 0.05, 1.2]),
)
DEVIATIONS = np.array([0.04, 0.04, 0.04, 0.04, 0.04, 0.02])
CAMERA = Camera(640, 480, 500.0, 500.0, 319.5, 239.5)
FRAMES = 40


def errors_of_bases(floor: FloorConstraint | None, tilting: float) -> FloatArray:
    """(FRAMES, 6): errors of published bases; odometry tilts by so many radians a frame."""
    generator = np.random.default_rng(5)
    temporal = TemporalLocalizer(FakeLocalizer(lambda image: None), TemporalConfiguration())
    errors = []
    for number in range(FRAMES):
        truth = planar_pose((0.05 * number, 0.0, 0.03 * number), HEIGHT)
        T_map_camera = truth @ T_BASE_CAMERA
        change = DEVIATIONS * generator.normal(size=6)
        turn = Rotation.from_rotvec(change[3:]).as_matrix()
        measured = rigid(turn @ T_map_camera[:3, :3], T_map_camera[:3, 3] + change[:3])
        single = localized(measured, np.diag(DEVIATIONS**2))
        tilt = rigid(Rotation.from_euler("x", tilting * number).as_matrix(), np.zeros(3))
        frame = LocalizedFrame(
            number * 100_000_000, CAMERA, None, single, tilt @ T_map_camera, floor
        )
        found = temporal.fuse(frame).localization.T_map_camera
        assert found is not None
        base = found @ inverse(T_BASE_CAMERA)
        turned = Rotation.from_matrix(base[:3, :3] @ truth[:3, :3].T).as_rotvec()
        errors.append(np.concatenate([base[:3, 3] - truth[:3, 3], turned]))
    return np.array(errors)


@pytest.mark.parametrize("tilting", [0.0, 0.001])
def test_filtered_poses_lie_on_the_floor_though_odometry_tilts(tilting: float) -> None:
    floor = FloorConstraint.of(FloorConfiguration(height=HEIGHT), inverse(T_BASE_CAMERA))
    on_it, anywhere = errors_of_bases(floor, tilting), errors_of_bases(None, tilting)
    np.testing.assert_allclose(on_it[:, 2:5], 0.0, atol=1e-9)
    assert np.abs(anywhere[:, 2:5]).max() > 0.01
    positions = [np.linalg.norm(errors[:, :2], axis=1).mean() for errors in (on_it, anywhere)]
    assert positions[0] < 0.9 * positions[1]


def test_a_repeated_image_has_a_pose_on_the_floor() -> None:
    floor = FloorConstraint.of(FloorConfiguration(height=HEIGHT), inverse(T_BASE_CAMERA))
    temporal = TemporalLocalizer(FakeLocalizer(lambda image: None), TemporalConfiguration())
    lifted = planar_pose((1.0, 0.0, 0.5), HEIGHT + 0.05) @ T_BASE_CAMERA
    for number in range(2):
        single = localized(lifted, np.diag(DEVIATIONS**2))
        frame = LocalizedFrame(number * 100_000_000, CAMERA, None, single, lifted, floor)
        fused = temporal.fuse(frame)
        found = fused.localization.T_map_camera
        assert found is not None
        expected = planar_pose((1.0, 0.0, 0.5), HEIGHT)
        off = pose_error(found @ inverse(T_BASE_CAMERA), expected)
        assert off.translation < 0.02
        assert (found @ inverse(T_BASE_CAMERA))[2, 3] == pytest.approx(HEIGHT, abs=1e-9)
