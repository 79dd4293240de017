"""A robot that is localized once, and then only on request, over DDS."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
from nodes.fake_fusion import fused, with_features
from nodes.fake_localizer import FakeLocalizer, FakeMaps, localized, rejected

pytest.importorskip("dense_reloc_ros.msg", reason="not built: source install/setup.bash")
from geometry_msgs.msg import PoseWithCovarianceStamped
from nav2_msgs.srv import SetInitialPose
from nodes.fusion_harness import PairHarness
from nodes.harness import Harness
from nodes.observer import wait_for
from nodes.poses import matrix, pose
from nodes.robot import CAMERA_FRAME, Robot
from std_srvs.srv import Empty

from dense_reloc_ros.geometry.se3 import shifted
from dense_reloc_ros.msg import LocalizationState
from dense_reloc_ros.nodes.conversions import pose_to_message
from dense_reloc_ros.nodes.latched import LATCHED
from dense_reloc_ros.srv import LoadMap

pytestmark = pytest.mark.ros

HERE, THERE = pose(1), shifted(pose(1), np.array([7.0, 0.0, 0.0]))


@pytest.fixture
def localizer() -> FakeLocalizer:
    return FakeLocalizer(lambda image: with_features(localized(HERE)))


@pytest.fixture
def maps(localizer: FakeLocalizer) -> FakeMaps:
    hall = FakeLocalizer(lambda image: with_features(localized(THERE)), seed=1)
    return FakeMaps(kitchen=localizer, hall=hall)


@pytest.fixture
def harness(run: Callable[..., Any], maps: FakeMaps) -> Harness:
    """A relocalizer alone, to be asked."""
    harness = run(
        partial(Harness, map="/maps/kitchen"),
        maps,
        base_frame="",
        mode="once",
        transform_timeout=9.0,
    )
    harness.activate()
    return harness


@pytest.fixture
def pair(run: Callable[..., Any], maps: FakeMaps) -> PairHarness:
    """With a fusion in the same process."""
    pair = run(PairHarness, maps, base_frame="", mode="once")
    pair.activate()
    return pair


class Received:
    """Shows images and waits until the relocalizer has received them."""

    def __init__(self, robot: Robot) -> None:
        self._robot = robot
        self._count = 0

    def show(self, *seconds: float) -> None:
        """Images with odometry of their times, of a robot that stands still."""
        robot = self._robot
        for time in seconds:
            robot.move("odom", CAMERA_FRAME, time, np.eye(4))
            robot.node.transforms.lookup("odom", CAMERA_FRAME, round(time * 1e9), timeout=30)
            robot.show(time)
            self._count += 1
            wait_for(lambda: self._came() == self._count, f"image {self._count}")

    def _came(self) -> int:
        pipeline = self._robot._nodes["relocalizer"].pipeline
        return pipeline.counts["images received"]


def test_after_it_is_found_no_image_is_computed(harness: Harness, localizer: FakeLocalizer) -> None:
    received = Received(harness)
    localizer.answer = lambda image: rejected()
    for seconds in (1.0, 1.2):
        received.show(seconds)
        harness.wait_for_result(seconds)
    localizer.answer = lambda image: localized(HERE)
    received.show(1.4)
    harness.wait_for_transform(2.4)
    for number in range(20):
        received.show(1.6 + 0.2 * number)
    harness.wait_for_diagnostic("images not needed", "20")
    assert len(localizer.images) == 3
    assert [result.status for result in harness.results] == [1, 1, 0]


def test_the_transform_is_kept_with_the_odometry_for_as_long_as_it_comes(
    harness: Harness, localizer: FakeLocalizer
) -> None:
    received = Received(harness)
    received.show(1.0)
    harness.wait_for_transform(2.0)
    for seconds in (20.0, 40.0, 4000.0):  # belief.max_age is 30 s
        harness.move("odom", CAMERA_FRAME, seconds, shifted(np.eye(4), np.array([seconds, 0, 0])))
        last = harness.wait_for_transform(seconds + 1.0)
        np.testing.assert_allclose(matrix(last.transform), HERE, atol=1e-9)
    harness.wait_for_diagnostic("localization state", "UNSURE")
    received.show(4000.2)
    assert len(localizer.images) == 1


def test_on_request_it_looks_again_and_is_quiet_again(
    harness: Harness, localizer: FakeLocalizer
) -> None:
    received = Received(harness)
    received.show(1.0, 1.2)
    harness.wait_for_transform(2.0)
    service = "relocalizer/reinitialize_global_localization"
    harness.call(Empty, service, Empty.Request())
    received.show(1.4)
    harness.wait_for_result(1.4)
    harness.wait_for_transform(2.4)
    received.show(1.6, 1.8)
    harness.wait_for_diagnostic("images not needed", "3")
    assert len(localizer.images) == 2


def test_an_initial_pose_is_followed_by_images_until_they_agree(
    harness: Harness, localizer: FakeLocalizer
) -> None:
    """The robot was carried away: three poses that agree are needed against the old one."""
    received = Received(harness)
    received.show(1.0, 1.2)
    harness.wait_for_transform(2.0)
    localizer.answer = lambda image: localized(THERE)
    given = PoseWithCovarianceStamped(pose=pose_to_message(THERE, np.eye(6)))
    given.header.frame_id = "map"
    request = SetInitialPose.Request(pose=given)
    harness.call(SetInitialPose, "relocalizer/set_initial_pose", request)
    for seconds in (1.4, 1.6, 1.8):
        received.show(seconds)
        harness.wait_for_result(seconds)
    last = wait_for(lambda: harness.transforms[-1], "a transform")
    wait_for(lambda: np.allclose(matrix(harness.transforms[-1].transform), THERE), "the new place")
    assert last.child_frame_id == "odom"
    received.show(2.0, 2.2)
    harness.wait_for_diagnostic("images not needed", "3")
    assert len(localizer.images) == 4


def test_another_map_begins_a_new_search(harness: Harness, maps: FakeMaps) -> None:
    received = Received(harness)
    received.show(1.0, 1.2)
    harness.wait_for_transform(2.0)
    request = LoadMap.Request(map_path="/maps/hall")
    assert harness.call(LoadMap, "relocalizer/load_map", request).success
    received.show(1.4, 1.6)
    wait_for(lambda: np.allclose(matrix(harness.transforms[-1].transform), THERE), "the new place")
    harness.wait_for_diagnostic("images not needed", "2")
    assert len(maps.localizers["hall"].images) == 1


def test_time_that_jumps_back_begins_a_new_search(
    harness: Harness, localizer: FakeLocalizer
) -> None:
    received = Received(harness)
    received.show(100.0, 100.2)
    harness.wait_for_transform(101.0)
    harness.move("odom", CAMERA_FRAME, 3.0, np.eye(4))
    harness.show(3.0)
    harness.move("odom", CAMERA_FRAME, 3.1, np.eye(4))
    harness.wait_for_result(3.0)
    assert len(localizer.images) == 2


def test_a_fusion_that_is_lost_is_given_images(pair: PairHarness, localizer: FakeLocalizer) -> None:
    """Though the relocalizer itself has found the robot."""
    pair.fusion.answer = lambda frame: fused(rejected(), rejected())
    received = Received(pair)
    for seconds in (1.0, 1.2, 1.4):
        received.show(seconds)
        pair.wait_for_result(seconds)
    pair.fusion.answer = lambda frame: fused(localized(HERE))
    states: list[LocalizationState] = []
    pair.robot.create_subscription(
        LocalizationState, "temporal_fusion/state", states.append, LATCHED
    )
    received.show(1.6)
    wait_for(lambda: states and states[-1].state == LocalizationState.TRACKING, "to be found")
    wait_for(lambda: not pair.relocalizer.pipeline._search.is_on, "the end of the search")
    computed = len(localizer.images)
    for number in range(10):
        received.show(1.8 + 0.2 * number)
    assert len(localizer.images) == computed == 4
    transform = pair.wait_for_transform(3.7)
    np.testing.assert_allclose(matrix(transform.transform), HERE, atol=1e-9)


def test_a_fusion_that_found_it_is_enough(pair: PairHarness, localizer: FakeLocalizer) -> None:
    """Where no image alone is sure; and its silence is no fault."""
    localizer.answer = lambda image: with_features(rejected())
    pair.fusion.answer = lambda frame: fused(localized(HERE), is_fused=True)
    received = Received(pair)
    received.show(1.0)
    wait_for(lambda: not pair.relocalizer.pipeline._search.is_on, "the end of the search")
    received.show(1.2, 1.4)
    assert len(localizer.images) == 1
    assert pair.relocalizer.pipeline.standing.state.name == "LOST"
    pair.node.pipeline._started -= 100.0
    pair.node.pipeline._last_received -= 100.0
    assert pair.node.pipeline.complaint == ""


def test_asked_to_look_everywhere_it_does_though_the_fusion_is_sure(pair: PairHarness) -> None:
    pair.fusion.answer = lambda frame: fused(localized(HERE))
    Received(pair).show(1.0)
    search = pair.relocalizer.pipeline._search
    wait_for(lambda: search._fused > 0 and not search.is_on, "the end of the search")
    pair.relocalizer.look_everywhere("as asked for")
    assert search.is_on


def test_what_a_fusion_said_ends_with_it(pair: PairHarness, localizer: FakeLocalizer) -> None:
    localizer.answer = lambda image: with_features(rejected())
    pair.fusion.answer = lambda frame: fused(localized(HERE), is_fused=True)
    Received(pair).show(1.0)
    search = pair.relocalizer.pipeline._search
    wait_for(lambda: not search.is_on, "the end of the search")
    pair.node.pipeline.close()
    wait_for(lambda: search.is_on, "a search without the fusion")
