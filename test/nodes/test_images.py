"""Which images of the camera's topics are localized, and what of them others can see."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from nodes.fake_fusion import features, with_features
from nodes.fake_localizer import FakeLocalizer, FakeMaps, localized

from dense_reloc_ros.geometry.camera import Camera

pytest.importorskip("dense_reloc_ros.msg", reason="not built: source install/setup.bash")
from nodes.harness import Start
from nodes.observer import wait_for
from nodes.poses import pose
from rclpy.qos import ReliabilityPolicy

from dense_reloc_ros.msg import LocalizedFrame

pytestmark = pytest.mark.ros

T_MAP_CAMERA, T_BASE_CAMERA, T_ODOM_BASE = pose(1), pose(2), pose(3)


@pytest.fixture
def localizer() -> FakeLocalizer:
    return FakeLocalizer(lambda image: localized(T_MAP_CAMERA))


@pytest.fixture
def maps(localizer: FakeLocalizer) -> FakeMaps:
    return FakeMaps(kitchen=localizer)


def test_localizer_sees_the_image_and_its_camera(
    start: Start, maps: FakeMaps, localizer: FakeLocalizer
) -> None:
    harness = start(maps, map="/maps/kitchen", odom_frame="", base_frame="")
    harness.activate()
    image = np.random.default_rng(1).integers(0, 256, (48, 64, 3), dtype=np.uint8)
    harness.show_and_wait(1.0, image)
    np.testing.assert_array_equal(localizer.images[0], image)
    assert localizer.cameras[0] == Camera(
        64, 48, 50.0, 51.0, 31.5, 23.5, "plumb_bob", (0.1, -0.2, 0.001, 0.002, 0.0)
    )
    assert localizer.priors == [None]


def test_compressed_images_come_from_the_topic_below(
    start: Start, maps: FakeMaps, localizer: FakeLocalizer
) -> None:
    harness = start(
        maps, map="/maps/kitchen", odom_frame="", base_frame="", image_transport="compressed"
    )
    harness.activate()
    image = np.random.default_rng(1).integers(0, 256, (48, 64, 3), dtype=np.uint8)
    encoded = cv2.imencode(".png", cv2.cvtColor(image, cv2.COLOR_RGB2BGR))[1].tobytes()
    harness.show_compressed(1.0, encoded)
    assert harness.wait_for_result(1.0).status == 0
    np.testing.assert_array_equal(localizer.images[0], image)


@pytest.mark.parametrize(
    ("parameters", "reliability"),
    [
        ({}, ReliabilityPolicy.BEST_EFFORT),
        (
            {"qos_overrides./image.subscription.reliability": "reliable"},
            ReliabilityPolicy.RELIABLE,
        ),
    ],
)
def test_images_come_with_sensor_data_qos_unless_told_otherwise(
    start: Start, maps: FakeMaps, parameters: dict[str, str], reliability: ReliabilityPolicy
) -> None:
    harness = start(maps, map="/maps/kitchen", **parameters)
    harness.activate()
    (subscription,) = wait_for(
        lambda: harness.robot.get_subscriptions_info_by_topic("/image"), "the subscription"
    )
    assert subscription.qos_profile.reliability == reliability


def test_newest_frame_wins(start: Start, maps: FakeMaps, localizer: FakeLocalizer) -> None:
    harness = start(maps, map="/maps/kitchen", odom_frame="", base_frame="")
    harness.activate()
    localizer.gate.clear()
    harness.show(1.0)
    wait_for(lambda: localizer.images, "the first image in work")
    for seconds in (2.0, 3.0, 4.0):
        harness.show(seconds)
    harness.wait_for_diagnostic("images received", "4")
    localizer.gate.set()
    harness.wait_for_result(4.0)
    assert [result.header.stamp.sec for result in harness.results] == [1, 4]
    harness.wait_for_diagnostic("images dropped for newer ones", "2")


def test_max_rate_is_by_the_images_stamps(start: Start, maps: FakeMaps) -> None:
    harness = start(maps, map="/maps/kitchen", odom_frame="", base_frame="", max_rate=2.0)
    harness.activate()
    for seconds in (1.0, 1.1, 1.2, 1.48, 1.6, 2.5):
        harness.show(seconds)
        if seconds in (1.0, 1.48, 2.5):
            harness.wait_for_result(seconds)
    assert len(harness.results) == 3
    harness.wait_for_diagnostic("images skipped", "3")


def test_debug_image_shows_the_points_while_somebody_looks(start: Start, maps: FakeMaps) -> None:
    harness = start(maps, map="/maps/kitchen", odom_frame="", base_frame="")
    harness.activate()
    harness.show_and_wait(1.0)
    seen = harness.look_at_debug_image()
    harness.show_and_wait(2.0)
    wait_for(lambda: seen, "a debug image")
    assert [image.header.stamp.sec for image in seen] == [2]
    assert (seen[0].encoding, seen[0].width, seen[0].height) == ("rgb8", 2 * 64, 48)
    pixels = np.frombuffer(seen[0].data, np.uint8).reshape(48, 128, 3)
    assert (pixels[:20, :64] != pixels[0, 0]).any()  # something is drawn on the even image


def test_frames_with_their_features_go_out_while_somebody_takes_them(
    start: Start, maps: FakeMaps, localizer: FakeLocalizer
) -> None:
    localizer.answer = lambda image: with_features(localized(T_MAP_CAMERA), seed=5)
    harness = start(maps, map="/maps/kitchen", odom_frame="", base_frame="")
    harness.activate()
    harness.show_and_wait(1.0)
    seen: list[LocalizedFrame] = []
    harness.collect(LocalizedFrame, "relocalizer/localized_frame", seen)
    wait_for(
        lambda: harness.relocalizer.count_subscribers("relocalizer/localized_frame"),
        "the relocalizer to see its audience",
    )
    result = harness.show_and_wait(2.0)
    (frame,) = wait_for(lambda: seen, "a frame")
    assert frame.result == result
    assert frame.camera_info.k[0] == 50.0
    coarse = features(5).levels["coarse"].values
    assert bytes(frame.levels[0].values) == coarse.half().numpy().tobytes()
