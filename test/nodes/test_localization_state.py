"""A robot that is found, carried away and lost, as ~/state and the transform say, over DDS."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from gallery import CAMERA, Gallery, looking
from lifecycle_msgs.msg import Transition
from nodes.fake_fusion import fused, with_features
from nodes.fake_localizer import FakeLocalizer, FakeMaps, localized, rejected

from dense_reloc_ros.features.extractors import create_extractor
from dense_reloc_ros.geometry.se3 import inverse, pose_error, shifted
from dense_reloc_ros.localization.result import Localization
from dense_reloc_ros.mapping.builder import build_from_depth
from dense_reloc_ros.mapping.dense_describer import DenseDescriber
from dense_reloc_ros.scene.writer import write_map

pytest.importorskip("dense_reloc_ros.msg", reason="not built: source install/setup.bash")
from nodes.fusion_harness import PairHarness
from nodes.harness import Harness
from nodes.observer import wait_for
from nodes.poses import matrix, pose
from nodes.robot import CAMERA_FRAME, Robot, camera_info, overrides
from rclpy.context import Context
from rclpy.qos import DurabilityPolicy, QoSProfile

from dense_reloc_ros.msg import LocalizationState
from dense_reloc_ros.nodes.relocalizer import Relocalizer
from dense_reloc_ros.srv import LoadMap

pytestmark = pytest.mark.ros

LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
LOST, UNSURE, TRACKING = (getattr(LocalizationState, n) for n in ("LOST", "UNSURE", "TRACKING"))
NOTHING, BECAME_LOST = LocalizationState.NOTHING, LocalizationState.BECAME_LOST
RELOCALIZED, KIDNAPPED = LocalizationState.RELOCALIZED, LocalizationState.KIDNAPPED
HERE, THERE = pose(1), shifted(pose(1), np.array([7.0, 0.0, 0.0]))


@pytest.fixture
def localizer() -> FakeLocalizer:
    return FakeLocalizer(lambda image: with_features(localized(HERE)))


@pytest.fixture
def maps(localizer: FakeLocalizer) -> FakeMaps:
    return FakeMaps(kitchen=localizer, hall=FakeLocalizer(lambda image: rejected(), seed=1))


@pytest.fixture
def harness(start: Callable[..., Harness], maps: FakeMaps) -> Harness:
    """A camera that odometry moves, and a relocalizer that is active."""
    harness = start(maps, map="/maps/kitchen", base_frame="", transform_timeout=9.0)
    harness.activate()
    return harness


class Heard:
    """What is said on ~/state: the last message from before, and those that come."""

    def __init__(self, robot: Robot) -> None:
        self.messages: list[LocalizationState] = []
        topic = f"{robot.name}/state"
        robot.robot.create_subscription(LocalizationState, topic, self.messages.append, LATCHED)
        wait_for(lambda: self.messages, "the state of before")

    def wait_for(self, *expected: tuple[int, int]) -> LocalizationState:
        """The last message, when these states and events were said, and no others."""
        try:
            wait_for(lambda: self.said == list(expected), "the states")
        finally:
            assert self.said == list(expected)
        return self.messages[-1]

    @property
    def said(self) -> list[tuple[int, int]]:
        return [(message.state, message.event) for message in self.messages]


def drive(robot: Robot, *seconds: float) -> None:
    """Images with odometry of their times, of a robot that stands still."""
    for time in seconds:
        robot.move("odom", CAMERA_FRAME, time, np.eye(4))
        robot.node.transforms.lookup("odom", CAMERA_FRAME, round(time * 1e9), timeout=30)
        robot.show_and_wait(time)


def unsure(T_map_camera: Any) -> Localization:
    """Sure enough to be published, but not to be believed alone."""
    found = localized(T_map_camera)
    assert found.estimate is not None
    return with_features(replace(found, estimate=replace(found.estimate, confidence=0.96)))


def test_a_robot_is_lost_until_it_is_found(harness: Harness) -> None:
    heard = Heard(harness)
    first = heard.wait_for((LOST, NOTHING))
    assert (first.reason, first.map_revision) == ("no pose yet", "")
    drive(harness, 1.0)
    found = heard.wait_for((LOST, NOTHING), (TRACKING, RELOCALIZED))
    assert (found.reason, found.map_revision) == ("", "revision 0")
    assert (found.header.frame_id, found.header.stamp.sec, found.since.sec) == ("map", 1, 1)
    Heard(harness).wait_for((TRACKING, RELOCALIZED))  # also who comes late is told
    status = harness.wait_for_diagnostic("localization state", "TRACKING")
    assert "1.000" in [v.value for v in status.values if v.key == "localization state since"]


def test_the_first_transform_needs_two_poses_that_agree(
    harness: Harness, localizer: FakeLocalizer
) -> None:
    heard = Heard(harness)
    localizer.answer = lambda image: unsure(THERE)
    drive(harness, 1.0)
    localizer.answer = lambda image: unsure(HERE)
    drive(harness, 1.2, 1.4)
    heard.wait_for((LOST, NOTHING), (TRACKING, RELOCALIZED))
    assert harness.wait_for_transform(2.4)
    # Each is published: who wants to decide otherwise can.
    wait_for(lambda: len(harness.poses) == 3, "three poses")
    (only,) = harness.transforms
    np.testing.assert_allclose(matrix(only.transform), HERE, atol=1e-9)


def test_a_robot_that_was_carried_away_is_found_by_poses_that_agree(
    harness: Harness, localizer: FakeLocalizer
) -> None:
    heard = Heard(harness)
    drive(harness, 1.0, 1.2)
    localizer.answer = lambda image: localized(THERE)
    drive(harness, 1.4, 1.6, 1.8)
    heard.wait_for(
        (LOST, NOTHING), (TRACKING, RELOCALIZED), (UNSURE, NOTHING), (TRACKING, KIDNAPPED)
    )
    harness.wait_for_transform(2.8)
    places = [matrix(transform.transform) for transform in harness.transforms]
    np.testing.assert_allclose(places, [HERE] * 4 + [THERE], atol=1e-9)


def test_poses_that_contradict_everything_end_the_transform(
    harness: Harness, localizer: FakeLocalizer
) -> None:
    heard = Heard(harness)
    drive(harness, 1.0, 1.2)
    for seed in (5, 6, 7):
        elsewhere = shifted(pose(seed), np.array([10.0 * seed, 0.0, 0.0]))
        localizer.answer = lambda image, elsewhere=elsewhere: unsure(elsewhere)
        drive(harness, 1.0 + 0.1 * seed)
    lost = heard.wait_for(
        (LOST, NOTHING), (TRACKING, RELOCALIZED), (UNSURE, NOTHING), (LOST, BECAME_LOST)
    )
    assert lost.reason == "3 poses contradict the believed one and each other"
    localizer.answer = lambda image: rejected()
    published = len(harness.transforms)
    drive(harness, 1.8, 2.0)
    assert len(harness.transforms) == published


def test_the_first_transform_needs_only_one_pose_that_is_sure(harness: Harness) -> None:
    drive(harness, 1.0)
    np.testing.assert_allclose(matrix(harness.wait_for_transform(2.0).transform), HERE, atol=1e-9)


@pytest.mark.parametrize("listened", ["relocalizer", "temporal_fusion"])
def test_another_map_ends_what_was_believed_and_the_transform_at_once(
    run: Callable[..., Any], maps: FakeMaps, listened: str
) -> None:
    if listened == "relocalizer":
        kind = partial(Harness, map="/maps/kitchen", transform_timeout=9.0)
    else:
        kind = PairHarness
    harness = run(kind, maps, base_frame="")
    harness.activate()
    heard = Heard(harness)
    drive(harness, 1.0)
    wait_for(lambda: harness.transforms, "the transform")
    request = LoadMap.Request(map_path="/maps/hall")
    assert harness.call(LoadMap, "relocalizer/load_map", request).success
    lost = heard.wait_for((LOST, NOTHING), (TRACKING, RELOCALIZED), (LOST, BECAME_LOST))
    assert lost.reason == "the map was exchanged"
    published = len(harness.transforms)
    drive(harness, 1.5, 2.0)  # nothing is found in the hall
    assert len(harness.transforms) == published


def test_odometry_without_images_becomes_unsure_and_then_lost(harness: Harness) -> None:
    heard = Heard(harness)
    drive(harness, 1.0)
    for seconds in (1.5, 2.5, 20.0, 31.5):
        harness.move("odom", CAMERA_FRAME, seconds, np.eye(4))
        harness.node.transforms.lookup("odom", CAMERA_FRAME, round(seconds * 1e9), timeout=30)
    lost = heard.wait_for(
        (LOST, NOTHING), (TRACKING, RELOCALIZED), (UNSURE, NOTHING), (LOST, BECAME_LOST)
    )
    assert (lost.reason, lost.header.stamp.sec) == ("no pose for 30.5 s", 31)


def test_a_fusion_that_is_contradicted_forgets_what_it_expected(
    run: Callable[..., PairHarness], maps: FakeMaps, capfd: pytest.CaptureFixture[str]
) -> None:
    harness = run(PairHarness, maps, base_frame="")
    harness.activate()
    heard = Heard(harness)
    drive(harness, 1.0, 1.2)
    for number, seconds in enumerate((1.4, 1.6, 1.8)):
        elsewhere = shifted(HERE, np.array([10.0 + 10.0 * number, 0.0, 0.0]))
        harness.fusion.answer = lambda frame, elsewhere=elsewhere: fused(
            rejected("off the track"), localized(elsewhere)
        )
        drive(harness, seconds)
    heard.wait_for((LOST, NOTHING), (TRACKING, RELOCALIZED), (UNSURE, NOTHING), (LOST, BECAME_LOST))
    drive(harness, 2.0)
    assert harness.fusion.stamps == [1.0, 1.2, 1.4, 1.6, 1.8, None, 2.0]
    assert "the robot is lost: 3 poses contradict" in capfd.readouterr().err


class GalleryRobot(Robot):
    """A relocalizer with a map of the rendered gallery, and what its camera sees there."""

    def __init__(self, context: Context, gallery: Gallery, path: Path) -> None:
        self.gallery = gallery
        parameters = {
            "map": str(path),
            "base_frame": "",
            "transform_timeout": 9.0,
            "max_rate": 0.0,
            "verification.score_threshold": 0.5,
            "device": "cpu",
        }
        node = Relocalizer(context=context, parameter_overrides=overrides(parameters))
        super().__init__(context, node)
        self.info = camera_info(
            width=CAMERA.width,
            height=CAMERA.height,
            d=[],
            k=[CAMERA.fx, 0.0, CAMERA.cx, 0.0, CAMERA.fy, CAMERA.cy, 0.0, 0.0, 1.0],
        )

    def see(self, seconds: float, T_map_camera: Any, T_map_odom: Any, light: float = 1.0) -> None:
        """An image of a place, with the odometry of its time."""
        self.move("odom", CAMERA_FRAME, seconds, inverse(T_map_odom) @ T_map_camera)
        image = (self.gallery.render(T_map_camera).image * light).astype(np.uint8)
        self.show_and_wait(seconds, image, self.info)


@pytest.fixture(scope="module")
def gallery_map(gallery: Gallery, tmp_path_factory: pytest.TempPathFactory) -> Path:
    extractor = create_extractor("effnet_lite0", torch.device("cpu"))
    path = tmp_path_factory.mktemp("gallery") / "map"
    write_map(path, build_from_depth(gallery.keyframes(), DenseDescriber(extractor, 200)))
    return path


def test_a_drive_through_a_rendered_room(
    run: Callable[..., GalleryRobot],
    gallery: Gallery,
    gallery_map: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Found, in the dark, seeing again, and carried to the other end of the room."""
    # On a busy computer a dark image takes longer than that.
    monkeypatch.setattr("dense_reloc_ros.nodes.placement.SILENT_SECONDS", 60.0)
    robot = run(partial(GalleryRobot), gallery, gallery_map)
    for transition in (Transition.TRANSITION_CONFIGURE, Transition.TRANSITION_ACTIVATE):
        assert robot.change_state(transition)
    wait_for(robot.images.get_subscription_count, "a subscription to images")
    wait_for(lambda: robot.tf.get_subscription_count() > 1, "others than itself to listen to TF")
    heard = Heard(robot)
    before, after = pose(3), pose(4)
    for number, yaw in enumerate((10.0, 13.0, 16.0)):
        robot.see(1.0 + 0.2 * number, looking(yaw, 0.3, 1.3, 2.0), before)
    for number, yaw in enumerate((19.0, 22.0)):
        robot.see(3.0 + 0.2 * number, looking(yaw, 0.3, 1.3, 2.0), before, light=0.0)
    robot.see(3.4, looking(25.0, 0.3, 1.3, 2.0), before)
    carried = [looking(yaw, 0.3, 1.3, 2.0) for yaw in (200.0, 203.0, 206.0, 209.0)]
    for number, T_map_camera in enumerate(carried):
        robot.see(3.6 + 0.2 * number, T_map_camera, after)
    heard.wait_for(
        (LOST, NOTHING),
        (TRACKING, RELOCALIZED),
        (UNSURE, NOTHING),
        (TRACKING, NOTHING),
        (UNSURE, NOTHING),
        (TRACKING, KIDNAPPED),
    )
    last = robot.wait_for_transform(5.2)
    for transform, truth in ((robot.transforms[0], before), (last, after)):
        off = pose_error(truth, matrix(transform.transform))
        assert off.translation < 0.15
        assert np.degrees(off.rotation) < 1.5
