"""Fusing answers one by one, and beginning anew where a video does not go on."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from nodes.fake_fusion import FakeFilter, FakeFusion, with_features
from nodes.fake_localizer import FakeLocalizer, localized, rejected

from dense_reloc_ros.errors import InputError
from dense_reloc_ros.geometry.camera import Camera
from dense_reloc_ros.localization import Status
from dense_reloc_ros.temporal.configuration import TemporalConfiguration
from dense_reloc_ros.temporal.frames import FusedLocalization

pytest.importorskip("dense_reloc_ros.msg", reason="not built: source install/setup.bash")
from nodes.answers import make_answer
from nodes.poses import pose

from dense_reloc_ros.nodes.configuration import FusionConfiguration
from dense_reloc_ros.nodes.frame_fuser import FrameFuser, make_fusion
from dense_reloc_ros.nodes.reporting import ChangeReporter
from dense_reloc_ros.nodes.robot_frames import RobotFrames
from dense_reloc_ros.nodes.transform_buffer import TransformHistory

pytestmark = pytest.mark.ros


SINGLE = with_features(localized(pose(1)))


class Log:
    """Stands in for the node's logger."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def warning(self, line: str) -> None:
        self.lines.append(line)

    info = warning


class Transforms(TransformHistory):
    """TF that a test fills."""

    def close(self) -> None: ...


class Fused:
    """A fuser with everything around it."""

    def __init__(self) -> None:
        self.log, self.filter, self.fusions = Log(), FakeFilter(), [FakeFusion()]
        self.transforms = Transforms()
        self.configurations: list[TemporalConfiguration] = []
        self.localizer = FakeLocalizer(lambda image: SINGLE)
        reporter = ChangeReporter(self.log)
        settings = FusionConfiguration(base_frame="", transform_timeout=0.0)
        self.robot = RobotFrames(settings, self.transforms, reporter)
        self.fuser = FrameFuser(
            TemporalConfiguration(),
            self.robot,
            reporter,
            self.log,
            self._make_fusion,
            lambda configuration: self.filter,
        )
        self.transforms.insert("odom", "camera_optical_frame", 0, pose(5))
        self.transforms.insert("odom", "camera_optical_frame", 9_000_000_000, pose(5))

    def _make_fusion(self, localizer, configuration: TemporalConfiguration) -> FakeFusion | None:
        self.configurations.append(configuration)
        if localizer is None:
            return None
        self.fusions.append(FakeFusion())
        return self.fusions[-1]

    @property
    def fusion(self) -> FakeFusion:
        return self.fusions[-1]

    def take(self, seconds: float, localization=SINGLE, localizer=None, revision="revision 0"):
        localizer = self.localizer if localizer is None else localizer
        return self.fuser.fuse(make_answer(seconds, localization, localizer, revision))


@pytest.fixture
def fused() -> Fused:
    return Fused()


def test_frame_goes_through_fusion_and_filter(fused: Fused) -> None:
    fused.take(1.0)
    better = localized(pose(2))
    fused.fusion.answer = lambda frame: FusedLocalization(better, 0.25, is_fused=True)
    fused.filter.T_raw_filtered = pose(3)
    answer = fused.take(2.0)
    frame = fused.fusion.frames[-1]
    assert (frame.stamp, frame.localization) == (2_000_000_000, SINGLE)
    assert frame.features is SINGLE.features
    assert frame.camera == Camera(64, 48, 50.0, 51.0, 31.5, 23.5)  # without distortion
    np.testing.assert_allclose(frame.T_odom_camera, pose(5), atol=1e-12)
    stamp, T_map_camera, covariance, T_odom_camera = fused.filter.updates[-1]
    assert stamp == 2_000_000_000
    np.testing.assert_array_equal(T_map_camera, pose(2))
    np.testing.assert_array_equal(covariance, better.estimate.covariance)
    np.testing.assert_array_equal(T_odom_camera, frame.T_odom_camera)
    assert answer.is_fused
    assert not answer.is_outlier
    assert answer.raw is better
    np.testing.assert_allclose(answer.filtered.T_map_camera, pose(2) @ pose(3), atol=1e-12)
    np.testing.assert_array_equal(answer.filtered.estimate.covariance, fused.filter.covariance)
    assert answer.filtered.estimate.score == better.estimate.score
    assert not fused.log.lines


def test_outliers_are_rejected(fused: Fused) -> None:
    fused.filter.is_outlier = True
    answer = fused.take(1.0)
    assert answer.is_outlier
    assert answer.raw.is_localized
    assert answer.filtered.status is Status.REJECTED
    assert answer.filtered.reason == "the pose does not fit those before it"
    assert answer.filtered.T_map_camera is None


def test_frames_without_pose_leave_the_filter_alone(fused: Fused) -> None:
    single = with_features(rejected())
    answer = fused.take(1.0, single)
    assert len(fused.fusion.frames) == 1
    assert answer.filtered is single
    assert not fused.filter.updates


def test_a_repeated_picture_is_no_evidence(fused: Fused) -> None:
    fused.take(1.0)
    fused.fusion.answer = lambda frame: FusedLocalization(
        frame.localization, 0.5, is_fused=False, is_new=False
    )
    fused.filter.T_raw_filtered = pose(3)
    answer = fused.take(2.0)
    assert len(fused.filter.updates) == 1
    assert fused.filter.predicted == [2_000_000_000]
    np.testing.assert_allclose(answer.filtered.T_map_camera, pose(3), atol=1e-12)


def test_without_features_poses_are_only_filtered(fused: Fused) -> None:
    fused.filter.T_raw_filtered = pose(3)
    answer = fused.take(1.0, localized(pose(1)))
    assert not fused.fusion.frames
    np.testing.assert_allclose(answer.filtered.T_map_camera, pose(1) @ pose(3), atol=1e-12)


@pytest.mark.parametrize("odom_frame", ["", "no_such_frame"])
def test_without_odometry(fused: Fused, odom_frame: str) -> None:
    fused.robot.settings = fused.robot.settings.model_copy(update={"odom_frame": odom_frame})
    fused.take(1.0)
    fused.take(2.0)
    assert [frame.T_odom_camera for frame in fused.fusion.frames] == [None, None]
    assert len(fused.log.lines) == bool(odom_frame)  # said once, if it is a problem


def test_late_and_repeated_frames_are_skipped(fused: Fused) -> None:
    assert fused.take(5.0) is not None
    assert fused.take(5.0) is None
    assert fused.take(4.5) is None
    assert fused.take(5.1) is not None
    assert fused.fusion.stamps == [5.0, 5.1]
    assert not fused.log.lines


def test_time_that_jumps_back_begins_a_new_video(fused: Fused) -> None:
    fused.take(8.0)
    fused.take(2.5)
    fused.take(2.6)
    assert fused.fusion.stamps == [8.0, None, 2.5, 2.6]
    assert fused.filter.updates[1] is None
    assert fused.log.lines == ["time jumped back by 5.500 s: forgetting earlier frames"]


@pytest.mark.parametrize(
    ("revision", "line"),
    [
        ("revision 1", "the relocalizer went from map revision 0 to revision 1"),
        ("revision 0", "the relocalizer started anew"),
        ("", "the relocalizer went from map revision 0 to none"),
    ],
)
def test_another_localizer_begins_a_new_video(fused: Fused, revision: str, line: str) -> None:
    fused.take(1.0)
    first = fused.fusion
    other = FakeLocalizer(lambda image: SINGLE)
    fused.take(1.1, SINGLE, other, revision)
    fused.take(1.2, SINGLE, other, revision)
    assert fused.take(1.2, SINGLE, other, revision) is None
    assert fused.fusion is not first
    assert fused.fusion.stamps == [1.1, 1.2]
    assert [update is None for update in fused.filter.updates] == [False, True, False, False]
    assert fused.log.lines == [f"{line}: forgetting earlier frames"]


def test_what_is_lost_from_outside_is_forgotten_once(fused: Fused) -> None:
    fused.fuser.forget("the relocalizer went away")
    fused.take(1.0)
    assert not fused.log.lines  # there was nothing to forget
    fused.fuser.forget("the relocalizer went away")
    fused.take(2.0)
    fused.take(3.0)
    assert fused.fusion.stamps == [1.0, None, 2.0, 3.0]
    assert fused.log.lines == ["the relocalizer went away: forgetting earlier frames"]


def test_other_parameters_begin_anew(fused: Fused) -> None:
    fused.take(1.0)
    fused.fuser.reconfigure(TemporalConfiguration())
    fused.take(2.0)
    assert fused.fusion.stamps == [1.0, 2.0]
    fused.fuser.reconfigure(TemporalConfiguration(max_age=3.0))
    fused.take(3.0)
    assert fused.fusion.stamps == [3.0]
    assert fused.configurations[-1].max_age == 3.0


def test_a_failing_fusion_leaves_the_single_frame(fused: Fused) -> None:
    def fail(frame: object) -> FusedLocalization:
        raise RuntimeError("CUDA out of memory")

    fused.take(1.0)
    fused.fusion.answer = fail
    for seconds in (2.0, 3.0):
        answer = fused.take(seconds)
        assert answer.raw is SINGLE
        assert not answer.is_fused
    assert fused.fusion.stamps == [1.0, 2.0, None, 3.0, None]
    assert fused.log.lines == [
        "fusion: CUDA out of memory; frames are localized one by one",
    ]


def test_a_pose_that_the_filter_refuses_is_published_as_it_is(fused: Fused) -> None:
    fused.filter.error = InputError("the covariance is not positive definite")
    answer = fused.take(1.0)
    assert answer.filtered is SINGLE
    assert "covariance is not positive definite" in fused.log.lines[0]
    fused.filter.error = None
    assert fused.take(2.0).filtered.is_localized
    assert [update is None for update in fused.filter.updates] == [False, True, False]


def test_localizers_without_dense_features_have_no_fusion(fused: Fused) -> None:
    assert make_fusion(None, TemporalConfiguration()) is None
    assert make_fusion(fused.localizer, TemporalConfiguration()) is None


def test_a_broken_image_is_answered(fused: Fused) -> None:
    fused.take(1.0)
    broken = replace(rejected("image is empty"), status=Status.INVALID_INPUT, estimate=None)
    answer = fused.take(2.0, broken)
    assert answer.filtered is broken
    assert fused.fusion.stamps == [1.0]
