"""The node temporal_fusion beside a relocalizer in one process, with fakes, over DDS."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import pytest
from geometry_msgs.msg import PoseWithCovarianceStamped
from lifecycle_msgs.msg import Transition
from nodes.fake_fusion import fused, with_features
from nodes.fake_localizer import FakeLocalizer, FakeMaps, localized, rejected

from dense_reloc_ros.geometry.se3 import inverse, shifted

pytest.importorskip("dense_reloc_ros.msg", reason="not built: source install/setup.bash")
from nodes.fusion_harness import PairHarness
from nodes.observer import wait_for
from nodes.poses import matrix, pose
from nodes.robot import CAMERA_FRAME

from dense_reloc_ros.srv import LoadMap

pytestmark = pytest.mark.ros

Start = Callable[..., PairHarness]
T_MAP_CAMERA, T_BASE_CAMERA, T_ODOM_BASE, T_RAW_FILTERED = pose(1), pose(2), pose(3), pose(4)
FORGOTTEN = "forgetting earlier frames"


@pytest.fixture
def localizer() -> FakeLocalizer:
    return FakeLocalizer(lambda image: with_features(localized(T_MAP_CAMERA)))


@pytest.fixture
def start(run: Callable[..., PairHarness], localizer: FakeLocalizer) -> Start:
    hall = FakeLocalizer(lambda image: with_features(localized(np.eye(4))), seed=1)
    return partial(run, PairHarness, FakeMaps(kitchen=localizer, hall=hall))


@pytest.fixture
def harness(start: Start) -> PairHarness:
    """A camera alone, both nodes active."""
    harness = start(odom_frame="", base_frame="")
    harness.activate()
    return harness


def forgotten(capfd: pytest.CaptureFixture[str]) -> list[str]:
    """What the log says of forgetting."""
    return [line for line in capfd.readouterr().err.splitlines() if FORGOTTEN in line]


def test_says_where_the_base_is(start: Start) -> None:
    harness = start()
    harness.fusion.T_raw_filtered = T_RAW_FILTERED
    harness.activate()
    harness.mount("base_link", CAMERA_FRAME, T_BASE_CAMERA)
    harness.move("odom", "base_link", 4.9, T_ODOM_BASE)
    harness.move("odom", "base_link", 5.1, T_ODOM_BASE)
    result = harness.show_and_wait(5.0)
    T_map_base = T_MAP_CAMERA @ T_RAW_FILTERED @ inverse(T_BASE_CAMERA)
    assert (result.status, result.reason) == (result.LOCALIZED, "")
    assert (result.map_revision, result.method) == ("revision 0", "fake")
    assert (result.header.frame_id, result.base_frame_id) == ("map", "base_link")
    assert (result.supporting_points, list(result.keyframes)) == (3, [1, 0])
    np.testing.assert_allclose(
        matrix(result.camera_pose.pose), T_MAP_CAMERA @ T_RAW_FILTERED, atol=1e-9
    )
    covariance = np.array(result.camera_pose.covariance).reshape(6, 6)
    np.testing.assert_array_equal(covariance, harness.fusion.covariance)
    np.testing.assert_allclose(matrix(result.pose.pose), T_map_base, atol=1e-9)

    published = harness.wait_for_pose(5.0)
    assert (published.header.frame_id, published.pose) == ("map", result.pose)
    (raw,) = wait_for(lambda: harness.raw_poses, "the raw pose")
    assert raw.header == published.header
    np.testing.assert_allclose(
        matrix(raw.pose.pose), T_MAP_CAMERA @ inverse(T_BASE_CAMERA), atol=1e-9
    )
    transform = harness.wait_for_transform(5.1)
    assert (transform.header.frame_id, transform.child_frame_id) == ("map", "odom")
    np.testing.assert_allclose(matrix(transform.transform) @ T_ODOM_BASE, T_map_base, atol=1e-9)
    (frame,) = harness.fusion.frames
    np.testing.assert_allclose(frame.T_odom_camera, T_ODOM_BASE @ T_BASE_CAMERA, atol=1e-9)


def test_transform_comes_with_the_odometry(start: Start, localizer: FakeLocalizer) -> None:
    harness = start(transform_tolerance=0.25, base_frame="")
    harness.activate()
    harness.move("odom", CAMERA_FRAME, 1.0, T_ODOM_BASE)
    harness.show_and_wait(1.0)
    for seconds in (1.5, 1.75, 2.0):
        harness.move("odom", CAMERA_FRAME, seconds, T_ODOM_BASE)
        transform = harness.wait_for_transform(seconds + 0.25)
        np.testing.assert_allclose(
            matrix(transform.transform) @ T_ODOM_BASE, T_MAP_CAMERA, atol=1e-9
        )
    # Late odometry, transforms of others and frames without a pose change nothing.
    harness.move("odom", CAMERA_FRAME, 1.6, T_ODOM_BASE)
    harness.move("wheel_base", "wheel", 2.5, np.eye(4))
    localizer.answer = lambda image: with_features(rejected())
    harness.show_and_wait(2.0)
    harness.move("odom", CAMERA_FRAME, 2.25, T_ODOM_BASE)
    harness.wait_for_transform(2.5)
    dates = [t.header.stamp.sec + 1e-9 * t.header.stamp.nanosec for t in harness.transforms]
    np.testing.assert_allclose(dates, [1.25, 1.75, 2.0, 2.25, 2.25, 2.5], atol=1e-8)
    assert np.diff([t.header.stamp.nanosec for t in harness.transforms[3:5]]) == 1  # no repetition
    assert {t.child_frame_id for t in harness.transforms} == {"odom"}


def test_a_late_image_corrects_the_odometry_from_then_on(
    start: Start, localizer: FakeLocalizer
) -> None:
    harness = start(base_frame="")
    harness.activate()
    harness.move("odom", CAMERA_FRAME, 1.0, np.eye(4))
    harness.show_and_wait(1.0)
    for seconds in (1.2, 1.4):
        harness.move("odom", CAMERA_FRAME, seconds, np.eye(4))
        harness.wait_for_transform(seconds + 0.1)
    corrected = shifted(T_MAP_CAMERA, np.array([0.05, -0.02, 0.03]))
    localizer.answer = lambda image: with_features(localized(corrected))
    harness.show_and_wait(1.2)
    newest = wait_for(lambda: harness.transforms[3:], "the correction")[0]
    assert (newest.header.stamp.sec, newest.header.stamp.nanosec) == (1, 500_000_001)
    np.testing.assert_allclose(matrix(newest.transform), corrected, atol=1e-9)


def test_corrections_are_spread_where_that_is_asked_for(
    start: Start, localizer: FakeLocalizer
) -> None:
    harness = start(base_frame="", smoothing=1.0)
    harness.activate()
    harness.move("odom", CAMERA_FRAME, 1.0, np.eye(4))
    harness.show_and_wait(1.0)
    harness.wait_for_transform(1.1)
    corrected = shifted(T_MAP_CAMERA, np.array([0.08, 0.0, 0.0]))
    localizer.answer = lambda image: with_features(localized(corrected))
    harness.move("odom", CAMERA_FRAME, 1.05, np.eye(4))
    harness.wait_for_transform(1.15)
    harness.show_and_wait(1.05)
    for seconds in (1.25, 1.5, 2.0, 2.5):
        harness.move("odom", CAMERA_FRAME, seconds, np.eye(4))
        harness.wait_for_transform(seconds + 0.1)
    said = {
        round(t.header.stamp.sec + 1e-9 * t.header.stamp.nanosec, 3): t for t in harness.transforms
    }
    moved = [
        matrix(said[date].transform)[0, 3] - T_MAP_CAMERA[0, 3] for date in (1.35, 1.6, 2.1, 2.6)
    ]
    np.testing.assert_allclose(moved, [0.016, 0.036, 0.076, 0.08], atol=1e-6)


def test_between_images_the_pose_goes_on_and_its_covariance_grows(start: Start) -> None:
    harness = start()
    predicted: list[PoseWithCovarianceStamped] = []
    harness.collect(PoseWithCovarianceStamped, "temporal_fusion/predicted_pose", predicted)
    harness.activate()
    harness.mount("base_link", CAMERA_FRAME, np.eye(4))
    harness.move("odom", "base_link", 1.0, np.eye(4))
    harness.show_and_wait(1.0)
    harness.wait_for_transform(1.1)
    wait_for(
        lambda: harness.node.count_subscribers("temporal_fusion/predicted_pose"), "the audience"
    )
    for x in (1.0, 3.0):
        moved = shifted(np.eye(4), np.array([x, 0.0, 0.0]))
        harness.move("odom", "base_link", 1.0 + x, moved)
        harness.node.transforms.lookup("odom", "base_link", round(1e9 * (1.0 + x)), timeout=30)
    wait_for(lambda: [m for m in predicted if m.header.stamp.sec == 4], "the pose at 4 s")
    by_time = {message.header.stamp.sec: message for message in predicted}
    for x in (1, 3):
        message = by_time[1 + x]
        T_map_base = shifted(np.eye(4), np.array([float(x), 0.0, 0.0]))
        np.testing.assert_allclose(matrix(message.pose.pose), T_MAP_CAMERA @ T_map_base, atol=1e-9)
        variances = np.array(message.pose.covariance).reshape(6, 6).diagonal()
        at_fix = harness.fusion.covariance.diagonal()
        np.testing.assert_allclose(variances[3:] - at_fix[3:], (0.005 * x) ** 2, rtol=1e-6)
        assert (variances[:3] >= at_fix[:3] + (0.03 * x) ** 2 - 1e-9).all()


def test_without_odometry_the_camera_is_placed_at_the_images_time(harness: PairHarness) -> None:
    harness.show_and_wait(1.0)
    transform = harness.wait_for_transform(1.1)
    assert transform.child_frame_id == CAMERA_FRAME
    np.testing.assert_allclose(matrix(transform.transform), T_MAP_CAMERA, atol=1e-9)


def test_transform_can_be_switched_off(start: Start) -> None:
    harness = start(base_frame="", publish_tf=False)
    harness.activate()
    harness.move("odom", CAMERA_FRAME, 1.0, np.eye(4))
    harness.show_and_wait(1.0)
    harness.move("odom", CAMERA_FRAME, 2.0, np.eye(4))
    assert harness.set_parameters(publish_tf=True).successful
    harness.show_and_wait(2.0)
    harness.wait_for_transform(2.1)
    assert {transform.header.stamp.sec for transform in harness.transforms} == {2}


def test_outliers_are_rejected_with_the_raw_pose_at_hand(harness: PairHarness) -> None:
    harness.show_and_wait(1.0)
    usual = harness.fusion.answer
    harness.fusion.answer = lambda frame: fused(rejected("off the track"), frame.localization)
    result = harness.show_and_wait(2.0)
    assert (result.status, result.base_frame_id) == (result.REJECTED, "")
    assert result.reason == "off the track"
    wait_for(lambda: len(harness.raw_poses) == 2, "the raw pose of both")
    harness.fusion.answer = usual
    harness.show_and_wait(3.0)
    harness.wait_for_pose(3.0)
    harness.wait_for_transform(3.1)
    assert [message.header.stamp.sec for message in harness.poses] == [1, 3]
    assert [message.header.stamp.sec for message in harness.transforms] == [1, 3]
    status = harness.wait_for_diagnostic("outliers", "1")
    assert status.name == "temporal_fusion"


def test_a_bag_that_loops_begins_anew(
    harness: PairHarness, capfd: pytest.CaptureFixture[str]
) -> None:
    for _ in range(2):
        for seconds in (10.0, 10.5, 12.0):
            harness.show_and_wait(seconds)
            harness.results.clear()
    assert harness.fusion.stamps == [10.0, 10.5, 12.0, None, 10.0, 10.5, 12.0]
    (line,) = forgotten(capfd)
    assert "time jumped back by 2.000 s" in line


def test_odometry_of_before_a_jump_is_forgotten(start: Start) -> None:
    harness = start(base_frame="")
    harness.activate()
    harness.move("odom", CAMERA_FRAME, 100.0, np.eye(4))
    harness.show_and_wait(100.0)
    harness.wait_for_transform(100.1)
    harness.transforms.clear()

    def placed() -> bool:
        # That of the jump itself may be forgotten with those before it.
        harness.move("odom", CAMERA_FRAME, 50.0, T_ODOM_BASE)
        return bool(harness.transforms)

    harness.move("odom", CAMERA_FRAME, 50.0, T_ODOM_BASE)
    harness.show(50.0)
    wait_for(placed, "a transform of the new time")
    # Nothing was said about the new time before an image of it came.
    np.testing.assert_allclose(
        matrix(harness.transforms[0].transform) @ T_ODOM_BASE, T_MAP_CAMERA, atol=1e-9
    )


def test_an_image_that_comes_twice_counts_once(harness: PairHarness) -> None:
    harness.show_and_wait(1.0)
    harness.show(1.0)
    harness.wait_for_diagnostic("frames skipped", "1")
    harness.show_and_wait(2.0)
    assert harness.fusion.stamps == [1.0, 2.0]
    assert len(harness.results) == 2


def test_another_map_begins_anew(harness: PairHarness, capfd: pytest.CaptureFixture[str]) -> None:
    harness.show_and_wait(1.0)
    request = LoadMap.Request(map_path="/maps/hall")
    assert harness.call(LoadMap, "relocalizer/load_map", request).success
    assert harness.show_and_wait(2.0).map_revision == "revision 1"
    (line,) = forgotten(capfd)
    assert "from map revision 0 to revision 1" in line


def test_odometry_is_no_more_placed_in_a_map_that_was_exchanged(start: Start) -> None:
    harness = start(base_frame="")
    harness.activate()
    harness.move("odom", CAMERA_FRAME, 1.0, np.eye(4))
    harness.show_and_wait(1.0)
    harness.wait_for_transform(1.1)
    harness.move("odom", CAMERA_FRAME, 2.0, np.eye(4))
    harness.wait_for_transform(2.1)
    request = LoadMap.Request(map_path="/maps/hall")
    assert harness.call(LoadMap, "relocalizer/load_map", request).success
    for seconds in (3.0, 4.0):
        harness.move("odom", CAMERA_FRAME, seconds, np.eye(4))
    harness.node.transforms.lookup("odom", CAMERA_FRAME, 4 * 10**9, timeout=30)
    harness.show_and_wait(4.0)
    harness.move("odom", CAMERA_FRAME, 5.0, np.eye(4))
    harness.wait_for_transform(5.1)
    assert [t.header.stamp.sec for t in harness.transforms] == [1, 2, 4, 5]
    np.testing.assert_allclose(matrix(harness.transforms[2].transform), np.eye(4), atol=1e-9)


def test_a_relocalizer_that_starts_again_is_followed(
    harness: PairHarness, localizer: FakeLocalizer, capfd: pytest.CaptureFixture[str]
) -> None:
    harness.show_and_wait(1.0)
    opened_anew = harness.maps.localizers["kitchen"] = FakeLocalizer(localizer.answer)
    for transition in (
        Transition.TRANSITION_DEACTIVATE,
        Transition.TRANSITION_CLEANUP,
        Transition.TRANSITION_CONFIGURE,
        Transition.TRANSITION_ACTIVATE,
    ):
        assert harness.change_state(transition, "relocalizer")
    wait_for(harness.images.get_subscription_count, "the new subscription")
    harness.show_and_wait(2.0)
    assert harness.fused_with == [localizer, opened_anew]
    (line,) = forgotten(capfd)
    assert "map revision 0 was opened anew" in line


def test_lifecycle_there_and_back(harness: PairHarness) -> None:
    harness.show_and_wait(1.0)
    assert harness.change_state(Transition.TRANSITION_DEACTIVATE)
    harness.show(2.0)
    harness.wait_for_diagnostic("frames received", "2")
    assert harness.change_state(Transition.TRANSITION_ACTIVATE)
    harness.show_and_wait(3.0)
    assert [result.header.stamp.sec for result in harness.results] == [1, 3]
    assert harness.change_state(Transition.TRANSITION_DEACTIVATE)
    assert harness.change_state(Transition.TRANSITION_CLEANUP)
    harness.show(4.0)
    harness.wait_for_diagnostic("images received", "4")
    assert harness.change_state(Transition.TRANSITION_CONFIGURE)
    assert harness.change_state(Transition.TRANSITION_ACTIVATE)
    harness.show_and_wait(5.0)


def test_parameters_change_while_it_runs(harness: PairHarness) -> None:
    harness.show_and_wait(1.0)
    assert harness.set_parameters(max_age=2.0).successful
    harness.show_and_wait(2.0)
    assert harness.configurations[-1].max_age == 2.0
    refused = harness.set_parameters(max_age=0.0)
    assert not refused.successful
    assert "max_age" in refused.reason


def test_a_camera_that_stays_away_is_said(harness: PairHarness) -> None:
    complaint = "nothing comes from the relocalizer"
    status = wait_for(lambda: harness.diagnostic(complaint), "a complaint")
    assert (status.name, status.level) == ("temporal_fusion", status.WARN)
    harness.show_and_wait(1.0)
    status = harness.wait_for_diagnostic("frames received", "1")
    assert (status.message, status.hardware_id) == ("localized", "revision 0")
