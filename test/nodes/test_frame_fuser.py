"""Fusing answers one by one, and beginning anew where a video does not go on."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from nodes.fake_fusion import FakeFusion, fused, with_features
from nodes.fake_localizer import FakeLocalizer, localized

from dense_reloc_ros.geometry.camera import Camera
from dense_reloc_ros.localization.result import Localization, Status
from dense_reloc_ros.temporal.fused_frames import FusedLocalization
from dense_reloc_ros.temporal.fusion_configuration import TemporalConfiguration

pytest.importorskip("dense_reloc_ros.msg", reason="not built: source install/setup.bash")
from nodes.frame_results import KnownTransforms, make_result
from nodes.poses import pose

from dense_reloc_ros.nodes.frame_fuser import FrameFuser
from dense_reloc_ros.nodes.node_configuration import FusionConfiguration
from dense_reloc_ros.nodes.reporting import ChangeReporter
from dense_reloc_ros.nodes.robot_frames import RobotFrames

pytestmark = pytest.mark.ros


SINGLE = with_features(localized(pose(1)))


class Log:
    """Stands in for the node's logger."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def warning(self, line: str) -> None:
        self.lines.append(line)

    info = warning


class Transforms(KnownTransforms):
    """TF that a test fills."""

    def close(self) -> None: ...


class Followed:
    """A fuser with everything around it."""

    def __init__(self) -> None:
        self.log = Log()
        self.fusions: list[FakeFusion] = []
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
        )
        self.transforms.insert("odom", "camera_optical_frame", 0, pose(5))
        self.transforms.insert("odom", "camera_optical_frame", 9_000_000_000, pose(5))

    def _make_fusion(
        self, localizer: FakeLocalizer, configuration: TemporalConfiguration
    ) -> FakeFusion:
        self.configurations.append(configuration)
        self.fusions.append(FakeFusion())
        return self.fusions[-1]

    @property
    def fusion(self) -> FakeFusion:
        return self.fusions[-1]

    def take(self, seconds: float, localization=SINGLE, localizer=None, revision="revision 0"):
        localizer = self.localizer if localizer is None else localizer
        return self.fuser.fuse(make_result(seconds, localization, localizer, revision))


@pytest.fixture
def video() -> Followed:
    return Followed()


def test_frames_go_through_the_fusion(video: Followed) -> None:
    video.take(1.0)
    answer = fused(localized(pose(2)), localized(pose(3)), is_fused=True)
    video.fusion.answer = lambda frame: answer
    assert video.take(2.0) is answer
    frame = video.fusion.frames[-1]
    assert (frame.stamp, frame.localization) == (2_000_000_000, SINGLE)
    assert frame.features is SINGLE.features
    assert frame.camera == Camera(64, 48, 50.0, 51.0, 31.5, 23.5)  # without distortion
    np.testing.assert_allclose(frame.T_odom_camera, pose(5), atol=1e-12)
    assert not video.log.lines


def test_frames_without_features_do_as_well(video: Followed) -> None:
    video.take(1.0, localized(pose(1)))
    (frame,) = video.fusion.frames
    assert frame.features is None


def test_a_broken_image_is_answered(video: Followed) -> None:
    video.take(1.0)
    broken = Localization(Status.INVALID_INPUT, "image is empty")
    answer = video.fuser.fuse(replace(make_result(2.0, broken, video.localizer), camera=None))
    assert answer.localization is broken
    assert video.fusion.stamps == [1.0]


def test_without_a_localizer_frames_stay_as_they_are(video: Followed) -> None:
    answer = video.fuser.fuse(make_result(1.0, SINGLE, None))
    assert (answer.localization, answer.raw, answer.is_fused) == (SINGLE, SINGLE, False)
    assert not video.fusions


@pytest.mark.parametrize("odom_frame", ["", "no_such_frame"])
def test_without_odometry(video: Followed, odom_frame: str) -> None:
    video.robot.settings = video.robot.settings.model_copy(update={"odom_frame": odom_frame})
    video.take(1.0)
    video.take(2.0)
    assert [frame.T_odom_camera for frame in video.fusion.frames] == [None, None]
    assert len(video.log.lines) == bool(odom_frame)  # said once, if it is a problem


def test_late_and_repeated_frames_are_skipped(video: Followed) -> None:
    assert video.take(5.0) is not None
    assert video.take(5.0) is None
    assert video.take(4.5) is None
    assert video.take(5.1) is not None
    assert video.fusion.stamps == [5.0, 5.1]
    assert not video.log.lines


def test_time_that_jumps_back_begins_a_new_video(video: Followed) -> None:
    video.take(8.0)
    video.take(2.5)
    video.take(2.6)
    assert video.fusion.stamps == [8.0, None, 2.5, 2.6]
    assert video.log.lines == ["time jumped back by 5.500 s: forgetting earlier frames"]


@pytest.mark.parametrize(
    ("revision", "line"),
    [
        ("revision 1", "the relocalizer went from map revision 0 to revision 1"),
        ("revision 0", "map revision 0 was opened anew"),
        ("", "the relocalizer went from map revision 0 to none"),
    ],
)
def test_another_localizer_begins_a_new_video(video: Followed, revision: str, line: str) -> None:
    video.take(1.0)
    first = video.fusion
    other = FakeLocalizer(lambda image: SINGLE)
    video.take(1.1, SINGLE, other, revision)
    video.take(1.2, SINGLE, other, revision)
    assert video.take(1.2, SINGLE, other, revision) is None
    assert video.fusion is not first
    assert video.fusion.stamps == [1.1, 1.2]
    assert video.log.lines == [f"{line}: forgetting earlier frames"]


def test_another_camera_begins_a_new_video(video: Followed) -> None:
    video.take(1.0)
    for seconds in (1.1, 1.2):
        single = make_result(seconds, SINGLE, video.localizer)
        video.fuser.fuse(replace(single, header=replace(single.header, frame_id="rear_camera")))
    assert video.fusion.stamps == [1.0, None, 1.1, 1.2]
    assert video.log.lines[0] == (
        "images come from another camera, rear_camera: forgetting earlier frames"
    )


def test_what_is_lost_from_outside_is_forgotten_once(video: Followed) -> None:
    video.fuser.forget("the relocalizer went away")
    video.take(1.0)
    assert not video.log.lines  # there was nothing to forget
    video.fuser.forget("the relocalizer went away")
    video.take(2.0)
    video.take(3.0)
    assert video.fusion.stamps == [1.0, None, 2.0, 3.0]
    assert video.log.lines == ["the relocalizer went away: forgetting earlier frames"]


def test_other_parameters_begin_anew(video: Followed) -> None:
    video.take(1.0)
    video.fuser.reconfigure(TemporalConfiguration())
    video.take(2.0)
    assert video.fusion.stamps == [1.0, 2.0]
    video.fuser.reconfigure(TemporalConfiguration(max_age=3.0))
    video.take(3.0)
    assert video.fusion.stamps == [3.0]
    assert video.configurations[-1].max_age == 3.0


def test_a_failing_fusion_leaves_the_single_frame(video: Followed) -> None:
    def fail(frame: object) -> FusedLocalization:
        raise RuntimeError("CUDA out of memory")

    video.take(1.0)
    video.fusion.answer = fail
    for seconds in (2.0, 3.0):
        answer = video.take(seconds)
        assert answer.localization is SINGLE
        assert not answer.is_fused
    assert video.fusion.stamps == [1.0, 2.0, None, 3.0, None]
    assert video.log.lines == [
        "fusion: CUDA out of memory; frames are localized one by one",
    ]
