"""What the relocalizer publishes, with a fake localizer, over DDS."""

from __future__ import annotations

import numpy as np
import pytest
from nodes.fake_localizer import FakeLocalizer, FakeMaps, localized, rejected

from dense_reloc_ros.geometry.se3 import inverse, rigid

pytest.importorskip("dense_reloc_ros.msg", reason="not built: source install/setup.bash")
from nodes.harness import Start
from nodes.observer import wait_for
from nodes.poses import matrix, pose

from dense_reloc_ros.srv import LoadMap

pytestmark = pytest.mark.ros

T_MAP_CAMERA, T_BASE_CAMERA, T_ODOM_BASE = pose(1), pose(2), pose(3)


@pytest.fixture
def localizer() -> FakeLocalizer:
    return FakeLocalizer(lambda image: localized(T_MAP_CAMERA))


@pytest.fixture
def maps(localizer: FakeLocalizer) -> FakeMaps:
    return FakeMaps(kitchen=localizer)


def test_says_where_the_base_is(start: Start, maps: FakeMaps) -> None:
    harness = start(maps, map="/maps/kitchen", odom_frame="odom")
    harness.activate()
    harness.mount("base_link", "camera_optical_frame", T_BASE_CAMERA)
    T_odom_base_later = T_ODOM_BASE @ rigid(np.eye(3), np.array([0.2, 0.0, 0.0]))
    harness.move("odom", "base_link", 4.9, T_ODOM_BASE)
    harness.move("odom", "base_link", 5.1, T_odom_base_later)
    result = harness.show_and_wait(5.0)

    T_map_base = T_MAP_CAMERA @ inverse(T_BASE_CAMERA)
    assert (result.status, result.reason) == (result.LOCALIZED, "")
    assert (result.header.frame_id, result.base_frame_id) == ("map", "base_link")
    assert result.camera_frame_id == "camera_optical_frame"
    np.testing.assert_allclose(matrix(result.camera_pose.pose), T_MAP_CAMERA, atol=1e-9)
    np.testing.assert_allclose(matrix(result.pose.pose), T_map_base, atol=1e-9)
    assert result.score == pytest.approx(0.75)
    assert (result.supporting_points, list(result.keyframes)) == (3, [1, 0])
    assert result.method == "fake"
    assert dict(zip(result.stage_names, result.stage_milliseconds, strict=True)) == {
        "features": 12.5,
        "pose": 30.0,
    }
    assert result.latency_milliseconds > 0

    published = harness.wait_for_pose(5.0)
    assert published.header.frame_id == "map"
    np.testing.assert_allclose(matrix(published.pose.pose), T_map_base, atol=1e-9)
    np.testing.assert_array_equal(published.pose.covariance, result.pose.covariance)

    # REP 105: at the image's time the odometry was halfway between its two samples.
    T_odom_base = T_ODOM_BASE @ rigid(np.eye(3), np.array([0.1, 0.0, 0.0]))
    transform = harness.wait_for_transform(5.0 + 1.0)
    assert (transform.header.frame_id, transform.child_frame_id) == ("map", "odom")
    np.testing.assert_allclose(matrix(transform.transform) @ T_odom_base, T_map_base, atol=1e-9)


def test_odometry_keeps_its_place_in_the_map_while_nothing_is_seen(
    start: Start, maps: FakeMaps, localizer: FakeLocalizer
) -> None:
    harness = start(maps, map="/maps/kitchen", transform_tolerance=0.25)
    harness.activate()
    harness.mount("base_link", "camera_optical_frame", T_BASE_CAMERA)
    for seconds in (1.0, 1.5, 2.0):
        harness.move("odom", "base_link", seconds, T_ODOM_BASE)
    localizer.answer = lambda image: rejected()
    harness.show_and_wait(1.0)
    localizer.answer = lambda image: localized(T_MAP_CAMERA)
    harness.show_and_wait(1.5)
    localizer.answer = lambda image: rejected()
    harness.show_and_wait(2.0)
    first, second = harness.wait_for_transform(1.75), harness.wait_for_transform(2.25)
    assert first.transform == second.transform
    # Nothing was published before the first good pose, and no pose for the rejected frames.
    assert [t.header.stamp.sec for t in harness.transforms] == [1, 2]
    assert len(harness.poses) == 1


def test_the_pose_does_not_wait_for_odometry(start: Start, maps: FakeMaps) -> None:
    harness = start(maps, map="/maps/kitchen", transform_timeout=10.0)
    harness.activate()
    harness.mount("base_link", "camera_optical_frame", T_BASE_CAMERA)
    for seconds in (1.0, 2.0, 3.0):
        result = harness.show_and_wait(seconds)
        assert harness.wait_for_pose(seconds).pose == result.pose
        # Odometry would have been waited for as long as this many times the answer took.
        assert result.latency_milliseconds < 5000
    assert not harness.transforms
    for seconds in (1.0, 2.5):
        harness.move("odom", "base_link", seconds, T_ODOM_BASE)
    harness.wait_for_transform(2.0)
    harness.wait_for_transform(3.0)
    assert [t.header.stamp.sec for t in harness.transforms] == [2, 3]
    harness.move("odom", "base_link", 3.5, T_ODOM_BASE)
    harness.wait_for_transform(4.0)


def test_odometry_that_does_not_come_is_said_once(
    start: Start, maps: FakeMaps, capfd: pytest.CaptureFixture[str]
) -> None:
    harness = start(maps, map="/maps/kitchen", transform_timeout=0.05)
    harness.activate()
    harness.mount("base_link", "camera_optical_frame", T_BASE_CAMERA)
    for seconds in (1.0, 2.0, 3.0):
        harness.show_and_wait(seconds)
    lines: list[str] = []

    def is_said() -> bool:
        lines.extend(capfd.readouterr().err.splitlines())
        return any("odometry: frame 'odom'" in line for line in lines)

    wait_for(is_said, "a word on the odometry")
    harness.show_and_wait(4.0)
    lines.extend(capfd.readouterr().err.splitlines())
    assert len([line for line in lines if "odometry:" in line]) == 1


def test_a_base_that_nobody_publishes_is_waited_for_once(start: Start, maps: FakeMaps) -> None:
    harness = start(maps, map="/maps/kitchen", transform_timeout=2.0)
    harness.activate()
    first = harness.show_and_wait(1.0)
    second = harness.show_and_wait(2.0)
    assert (first.base_frame_id, second.base_frame_id) == ("", "")
    assert second.latency_milliseconds < 2000 <= first.latency_milliseconds
    harness.mount("base_link", "camera_optical_frame", T_BASE_CAMERA)
    wait_for(lambda: harness.show_and_wait(3.0 + len(harness.results)).base_frame_id, "the base")


def test_its_place_in_another_map_is_not_that_in_this_one(start: Start, maps: FakeMaps) -> None:
    hall = maps.localizers["hall"] = FakeLocalizer(lambda image: rejected(), seed=1)
    harness = start(maps, map="/maps/kitchen", base_frame="")
    harness.activate()
    for seconds in (1.0, 2.0, 3.0):
        harness.move("odom", "camera_optical_frame", seconds, T_ODOM_BASE)
    harness.show_and_wait(1.0)
    request = LoadMap.Request(map_path="/maps/hall")
    harness.wait_for_transform(2.0)
    assert harness.call(LoadMap, "relocalizer/load_map", request).success
    harness.show_and_wait(2.0)
    hall.answer = lambda image: localized(np.eye(4))
    harness.show_and_wait(3.0)
    harness.wait_for_transform(4.0)
    assert [t.header.stamp.sec for t in harness.transforms] == [2, 4]


def test_without_odometry_the_base_is_placed_in_the_map(start: Start, maps: FakeMaps) -> None:
    harness = start(maps, map="/maps/kitchen", odom_frame="")
    harness.activate()
    harness.mount("base_link", "camera_optical_frame", T_BASE_CAMERA)
    harness.show_and_wait(1.0)
    transform = harness.wait_for_transform(2.0)
    assert transform.child_frame_id == "base_link"
    np.testing.assert_allclose(
        matrix(transform.transform), T_MAP_CAMERA @ inverse(T_BASE_CAMERA), atol=1e-9
    )


def test_a_camera_alone_is_placed_in_the_map(start: Start, maps: FakeMaps) -> None:
    harness = start(maps, map="/maps/kitchen", odom_frame="", base_frame="", map_frame="hall")
    harness.activate()
    result = harness.show_and_wait(1.0)
    assert (result.header.frame_id, result.base_frame_id) == ("hall", "camera_optical_frame")
    np.testing.assert_array_equal(result.pose.covariance, result.camera_pose.covariance)
    assert harness.wait_for_pose(1.0).header.frame_id == "hall"
    transform = harness.wait_for_transform(2.0)
    assert transform.header.frame_id == "hall"
    assert transform.child_frame_id == "camera_optical_frame"
    np.testing.assert_allclose(matrix(transform.transform), T_MAP_CAMERA, atol=1e-9)


def test_transform_can_be_switched_off(start: Start, maps: FakeMaps) -> None:
    harness = start(maps, map="/maps/kitchen", odom_frame="", base_frame="", publish_tf=False)
    harness.activate()
    harness.show_and_wait(1.0)
    harness.wait_for_pose(1.0)
    assert harness.set_parameters(publish_tf=True).successful
    harness.show_and_wait(2.0)
    harness.wait_for_transform(3.0)
    assert len(harness.transforms) == 1


def test_without_the_bases_transform_there_is_no_pose_of_the_base(
    start: Start, maps: FakeMaps
) -> None:
    harness = start(maps, map="/maps/kitchen", transform_timeout=0.0)
    harness.activate()
    result = harness.show_and_wait(1.0)
    assert (result.status, result.base_frame_id) == (result.LOCALIZED, "")
    np.testing.assert_allclose(matrix(result.camera_pose.pose), T_MAP_CAMERA, atol=1e-9)
    assert not harness.poses
    assert not harness.transforms


def test_rejected_poses_are_nowhere(start: Start, maps: FakeMaps, localizer: FakeLocalizer) -> None:
    localizer.answer = lambda image: rejected("only 3 points agree")
    harness = start(maps, map="/maps/kitchen", odom_frame="", base_frame="")
    harness.activate()
    result = harness.show_and_wait(1.0)
    assert (result.status, result.reason) == (result.REJECTED, "only 3 points agree")
    assert result.score == pytest.approx(0.75)
    empty = type(result)()
    assert (result.camera_pose, result.pose) == (empty.camera_pose, empty.pose)
    assert not harness.poses
    assert not harness.transforms
