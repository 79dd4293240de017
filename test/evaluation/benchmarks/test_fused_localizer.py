from __future__ import annotations

import numpy as np
import pytest

from dense_reloc_ros.evaluation.benchmarks.fused_localizer import FusedLocalizer
from dense_reloc_ros.geometry.camera import Camera
from dense_reloc_ros.geometry.se3 import rigid
from dense_reloc_ros.geometry.trajectory import Trajectory
from dense_reloc_ros.localization.result import Localization, Status
from dense_reloc_ros.temporal.fused_frames import FusedLocalization

CAMERA = Camera(32, 24, 30.0, 30.0, 15.5, 11.5)
IMAGE = np.zeros((24, 32, 3), np.uint8)
RAW = Localization(Status.LOCALIZED, "")
PUBLISHED = Localization(Status.REJECTED, "the pose does not fit those before it")


class Fusion:
    """Notes the odometry it is given."""

    def __init__(self) -> None:
        self.given: list[tuple[int, np.ndarray | None]] = []

    def localize(self, image, camera, stamp, T_odom_camera=None) -> FusedLocalization:
        assert image is IMAGE
        assert camera is CAMERA
        self.given.append((stamp, T_odom_camera))
        return FusedLocalization(PUBLISHED, RAW, confidence=0.5, is_fused=True)


def at(x: float) -> np.ndarray:
    return rigid(np.eye(3), np.array([x, 0.0, 0.0]))


def test_each_frame_comes_with_the_odometry_of_its_time():
    fusion = Fusion()
    localizer = FusedLocalizer(fusion, Trajectory.from_poses([0, 200], [at(1.0), at(3.0)]))
    answers = [localizer.localize(IMAGE, CAMERA, stamp) for stamp in (0, 50, 200)]
    assert [stamp for stamp, _ in fusion.given] == [0, 50, 200]
    assert [T_odom_camera[0, 3] for _, T_odom_camera in fusion.given] == pytest.approx([1, 1.5, 3])
    assert answers == [PUBLISHED] * 3


def test_there_may_be_no_odometry():
    fusion = Fusion()
    FusedLocalizer(fusion, None).localize(IMAGE, CAMERA, 7)
    assert fusion.given == [(7, None)]
