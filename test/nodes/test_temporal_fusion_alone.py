"""The node temporal_fusion in a process of its own: the test plays the relocalizer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from lifecycle_msgs.msg import Transition
from nodes.fake_fusion import features, with_features
from nodes.fake_localizer import FakeLocalizer, FakeMaps, localized, rejected

pytest.importorskip("dense_reloc_ros.msg", reason="not built: source install/setup.bash")
from nodes.frame_results import make_result
from nodes.fusion_harness import LoneHarness, PairHarness
from nodes.observer import wait_for
from nodes.poses import matrix, pose

from dense_reloc_ros.localization.result import Localization
from dense_reloc_ros.msg import LocalizedFrame, RelocResult
from dense_reloc_ros.nodes.feature_messages import localized_frame_message
from dense_reloc_ros.srv import LoadMap

pytestmark = pytest.mark.ros

FRAMES_TOPIC = "relocalizer/localized_frame"
SINGLE = with_features(localized(pose(1)), seed=3)


@pytest.fixture
def maps() -> FakeMaps:
    return FakeMaps(
        kitchen=FakeLocalizer(lambda image: SINGLE),
        hall=FakeLocalizer(lambda image: SINGLE, seed=1),
    )


@pytest.fixture
def start(run: Callable[..., LoneHarness], maps: FakeMaps) -> Callable[..., LoneHarness]:
    parameters = {"map": "/maps/kitchen", "base_frame": "", "odom_frame": ""}

    return lambda **others: run(LoneHarness, maps, **(parameters | others))


@pytest.fixture
def harness(start: Callable[..., LoneHarness]) -> LoneHarness:
    harness = start()
    harness.activate()
    return harness


def frame(
    seconds: float, localization: Localization = SINGLE, revision: str = "revision 0"
) -> LocalizedFrame:
    """What a relocalizer publishes about an image."""
    return localized_frame_message(make_result(seconds, localization, revision=revision))


def send_and_wait(harness: LoneHarness, seconds: float, *given: Any) -> RelocResult:
    """What is published about a frame."""
    harness.frames.publish(frame(seconds, *given))
    return harness.wait_for_result(seconds)


def warned(capfd: pytest.CaptureFixture[str], text: str) -> list[str]:
    return [line for line in capfd.readouterr().err.splitlines() if text in line]


def test_frames_are_fused_with_the_features_in_the_message(
    harness: LoneHarness, maps: FakeMaps
) -> None:
    harness.fusion.T_raw_filtered = pose(4)
    result = send_and_wait(harness, 1.0)
    assert (result.status, result.map_revision) == (result.LOCALIZED, "revision 0")
    np.testing.assert_allclose(matrix(result.pose.pose), pose(1) @ pose(4), atol=1e-9)
    assert harness.wait_for_pose(1.0).pose == result.pose
    (raw,) = wait_for(lambda: harness.raw_poses, "the raw pose")
    np.testing.assert_allclose(matrix(raw.pose.pose), pose(1), atol=1e-9)
    assert harness.wait_for_transform(1.1).child_frame_id == "camera_optical_frame"
    (fused,) = harness.fusion.frames
    for name, level in features(3).levels.items():
        np.testing.assert_array_equal(
            fused.features.levels[name].values, level.values.half().float()
        )
    assert harness.fused_with == [maps.localizers["kitchen"]]
    assert result.latency_milliseconds > 10.0  # those of the relocalizer and its own


def test_frames_of_a_real_relocalizer_arrive(
    run: Callable[..., PairHarness], maps: FakeMaps
) -> None:
    frames = {"base_frame": "", "odom_frame": ""}
    harness = run(PairHarness, maps, shared=False, map="/maps/kitchen", **frames)
    harness.activate()
    wait_for(lambda: harness.relocalizer.count_subscribers(FRAMES_TOPIC), "who hears the frames")
    for seconds in (1.0, 2.0):
        assert harness.show_and_wait(seconds).status == RelocResult.LOCALIZED
    assert harness.fusion.stamps == [1.0, 2.0]
    harness.wait_for_diagnostic("frames localized", "2")


def test_rejected_frames_come_with_their_pose(harness: LoneHarness) -> None:
    result = send_and_wait(harness, 1.0, with_features(rejected("score 0.1 is too low")))
    assert (result.status, result.reason) == (result.REJECTED, "score 0.1 is too low")
    assert harness.fusion.frames[0].localization.estimate is not None
    assert not harness.poses


def test_repeated_late_and_missing_frames(harness: LoneHarness) -> None:
    send_and_wait(harness, 10.0)
    for count, late in enumerate((10.0, 9.5), start=1):
        harness.frames.publish(frame(late))
        harness.wait_for_diagnostic("frames skipped", str(count))
    send_and_wait(harness, 10.2)
    send_and_wait(harness, 14.0)  # those between were lost
    assert harness.fusion.stamps == [10.0, 10.2, 14.0]


def test_a_relocalizer_that_ends_and_comes_back_begins_anew(
    harness: LoneHarness, capfd: pytest.CaptureFixture[str]
) -> None:
    send_and_wait(harness, 1.0)
    harness.close_topic()
    wait_for(lambda: harness.node.pipeline.fuser.is_lost, "the node to notice")
    harness.open_topic()
    wait_for(harness.frames.get_subscription_count, "the subscription")
    send_and_wait(harness, 2.0)
    assert harness.fusion.stamps == [1.0, None, 2.0]
    assert len(warned(capfd, "the relocalizer went away: forgetting earlier frames")) == 1


def test_time_that_jumps_back_begins_anew(
    harness: LoneHarness, capfd: pytest.CaptureFixture[str]
) -> None:
    send_and_wait(harness, 60.0)
    send_and_wait(harness, 1.0)
    assert harness.fusion.stamps == [60.0, None, 1.0]
    assert len(warned(capfd, "time jumped back by 59.000 s")) == 1


def test_a_broken_message_is_said_once(
    harness: LoneHarness, capfd: pytest.CaptureFixture[str]
) -> None:
    short, unknown = frame(1.0), frame(1.5)
    short.levels[0].values = short.levels[0].values[:-2]
    unknown.result.status = 77
    lines: list[str] = []

    def said(text: str) -> bool:
        lines.extend(warned(capfd, "frames of the relocalizer: "))
        return any(text in line for line in lines)

    harness.frames.publish(short)
    wait_for(lambda: said("bytes"), "a word on the first")
    harness.frames.publish(short)
    harness.frames.publish(unknown)
    wait_for(lambda: said("77"), "a word on the unknown status")
    send_and_wait(harness, 2.0)
    assert said("fine again")
    assert len(lines) == 3


def test_until_it_has_the_relocalizers_map_frames_stay_as_they_are(
    harness: LoneHarness, capfd: pytest.CaptureFixture[str]
) -> None:
    for seconds in (1.0, 2.0):
        result = send_and_wait(harness, seconds, SINGLE, "revision 1")
        assert (result.status, result.map_revision) == (result.LOCALIZED, "revision 1")
        np.testing.assert_allclose(matrix(result.pose.pose), pose(1), atol=1e-9)
    assert not harness.fused_with
    assert len(warned(capfd, "the relocalizer's is revision 1, this node's revision 0")) == 1
    request = LoadMap.Request(map_path="/maps/hall")
    assert harness.call(LoadMap, "temporal_fusion/load_map", request).success
    send_and_wait(harness, 3.0, SINGLE, "revision 1")
    assert harness.fusion.stamps == [3.0]


def test_a_broken_map_fails_the_transition_and_can_be_replaced(
    start: Callable[..., LoneHarness],
) -> None:
    harness = start(map="/maps/ruin")
    assert not harness.change_state(Transition.TRANSITION_CONFIGURE)
    status = wait_for(lambda: harness.diagnostic("/maps/ruin: no map here"), "the complaint")
    assert status.level == status.ERROR
    request = LoadMap.Request(map_path="/maps/kitchen")
    assert harness.call(LoadMap, "temporal_fusion/load_map", request).success
    harness.activate()
    send_and_wait(harness, 1.0)
    assert harness.fusion.stamps == [1.0]


def test_parameters_of_the_localizer_are_its_own(harness: LoneHarness, maps: FakeMaps) -> None:
    assert harness.set_parameters(**{"matching.points": 300, "max_age": 1.5}).successful
    assert maps.localizers["kitchen"].configuration.matching.points == 300
    send_and_wait(harness, 1.0)
    assert harness.configurations[-1].max_age == 1.5
    refused = harness.set_parameters(map="/maps/hall")
    assert "unless the node is unconfigured: map" in refused.reason
