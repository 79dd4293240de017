"""How fused poses and the filter come together; the fusion is a fake."""

from __future__ import annotations

import numpy as np
import pytest

from dense_reloc_ros.evaluation.fused_localizer import FusedLocalizer
from dense_reloc_ros.evaluation.trajectory import Trajectory
from dense_reloc_ros.geometry.camera import Camera
from dense_reloc_ros.geometry.se3 import rigid
from dense_reloc_ros.localization import Localization, PoseEstimate, Status
from dense_reloc_ros.temporal.configuration import FilterConfiguration
from dense_reloc_ros.temporal.filter import PoseFilter
from dense_reloc_ros.temporal.frames import FusedLocalization

CAMERA = Camera(32, 24, 30.0, 30.0, 15.5, 11.5)
IMAGE = np.zeros((24, 32, 3), np.uint8)
STEP = 100_000_000
DEVIATION = 0.01


def at(x: float) -> np.ndarray:
    return rigid(np.eye(3), np.array([x, 0.0, 0.0]))


class Told:
    """Answers what it was told, frame after frame; None is no pose."""

    def __init__(
        self,
        positions: list[float | None],
        repeated: tuple[int, ...] = (),
        deviation: float = DEVIATION,
    ) -> None:
        self.positions = positions
        self.deviation = deviation
        self.repeated = repeated
        self.odometry: list[np.ndarray | None] = []

    def localize(self, image, camera, stamp, T_odom_camera=None) -> FusedLocalization:
        index = len(self.odometry)
        self.odometry.append(T_odom_camera)
        x, is_new = self.positions[index], index not in self.repeated
        if x is None:
            return FusedLocalization(Localization(Status.REJECTED, "too dark"), 0.0, False, is_new)
        covariance = self.deviation**2 * np.eye(6)
        estimate = PoseEstimate(at(x), covariance, 0.5, np.arange(3), (0,))
        return FusedLocalization(Localization(Status.LOCALIZED, "", estimate), 0.5, True, is_new)


def answers(told: Told, odometry: Trajectory | None = None) -> list[Localization]:
    localizer = FusedLocalizer(told, PoseFilter(FilterConfiguration()), odometry)
    return [localizer.localize(IMAGE, CAMERA, k * STEP) for k in range(len(told.positions))]


def standing(count: int) -> Trajectory:
    return Trajectory.from_poses([k * STEP for k in range(count)], [at(5.0)] * count)


def test_the_filter_smooths_where_the_odometry_says_that_nothing_moved():
    noise = DEVIATION * np.random.default_rng(0).normal(size=30)
    found = answers(Told(noise.tolist()), standing(30))
    last = [answer.T_map_camera[0, 3] for answer in found[15:]]
    assert np.abs(last).max() < 0.5 * np.abs(noise[15:]).max()
    assert np.diag(found[-1].estimate.covariance)[0] < 0.8 * DEVIATION**2


def test_the_fusion_gets_the_odometry_of_each_frame():
    told = Told([0.0, 0.0, 0.0])
    way = Trajectory.from_poses([0, 2 * STEP], [at(1.0), at(3.0)])
    answers(told, way)
    assert [T_odom_camera[0, 3] for T_odom_camera in told.odometry] == pytest.approx([1, 2, 3])


def test_frames_without_a_pose_stay_without():
    found = answers(Told([0.0, None, 0.0]), standing(3))
    assert [answer.status for answer in found] == [
        Status.LOCALIZED,
        Status.REJECTED,
        Status.LOCALIZED,
    ]
    assert found[1].reason == "too dark"


def test_a_pose_that_does_not_fit_is_not_published():
    found = answers(Told([0.0, 0.0, 0.0, 2.0, 0.0]), standing(5))
    assert [answer.is_localized for answer in found] == [True, True, True, False, True]
    assert found[3].reason == "the pose does not fit those before it"
    assert found[4].T_map_camera[0, 3] == pytest.approx(0.0, abs=1e-6)


def test_a_repeated_image_is_no_new_evidence():
    plain = answers(Told([0.0, 0.01]), standing(2))
    repeated = answers(Told([0.0, 0.01], repeated=(1,)), standing(2))
    assert plain[1].T_map_camera[0, 3] > 0.003
    assert repeated[1].T_map_camera[0, 3] == pytest.approx(0.0, abs=1e-6)


def test_a_pose_that_the_filter_cannot_take_is_published_as_it_is(caplog):
    found = answers(Told([0.0, 0.01], deviation=0.0), standing(2))
    assert [answer.T_map_camera[0, 3] for answer in found] == [0.0, 0.01]
    assert "not positive definite" in caplog.text
