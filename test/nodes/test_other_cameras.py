"""A relocalizer with a second camera on the robot, over DDS; the rig's answers are made up."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np
import pytest
from nodes.fake_localizer import FakeLocalizer, FakeMaps, localized

from dense_reloc_ros.bags.cameras import info_topic_beside
from dense_reloc_ros.geometry.se3 import inverse
from dense_reloc_ros.localization.result import Localization
from dense_reloc_ros.localization.rig_images import RigImage

pytest.importorskip("dense_reloc_ros.msg", reason="not built: source install/setup.bash")
from nodes.harness import Harness, Start
from nodes.observer import wait_for
from nodes.poses import pose
from nodes.robot import camera_info, picture, stamp
from sensor_msgs.msg import CameraInfo, Image

from dense_reloc_ros.nodes.conversions import image_to_message
from dense_reloc_ros.nodes.frame_localizer import FrameLocalizer

pytestmark = pytest.mark.ros

T_BASE_CAMERA, T_BASE_REAR = pose(2), pose(4)
REAR = "rear_optical_frame"


class FakeRig:
    """Stands in for `RigLocalizer`; remembers what it was given."""

    def __init__(self) -> None:
        self.given: list[Sequence[RigImage]] = []

    def localize(self, images: Sequence[RigImage], *prior: object) -> Localization:
        self.given.append(images)
        return localized(pose(1))


@pytest.fixture
def rig(monkeypatch: pytest.MonkeyPatch) -> FakeRig:
    fake = FakeRig()
    monkeypatch.setattr(FrameLocalizer, "_rig_of", lambda self, localizer: fake)
    return fake


@pytest.fixture
def localizer() -> FakeLocalizer:
    return FakeLocalizer(lambda image: localized(pose(1)))


@pytest.fixture
def harness(start: Start, localizer: FakeLocalizer) -> Harness:
    harness = start(
        FakeMaps(kitchen=localizer),
        map="/maps/kitchen",
        odom_frame="",
        other_cameras=["rear/image"],
        camera_tolerance=0.2,
        transform_timeout=0.0,
    )
    harness.activate()
    harness.mount("base_link", "camera_optical_frame", T_BASE_CAMERA)
    return harness


def show_rear(harness: Harness, seconds: float, grey: int) -> None:
    """Publishes an image of the rear camera, and waits until the node has it."""
    if not hasattr(harness, "rear"):
        harness.rear = (
            harness.robot.create_publisher(CameraInfo, "rear/camera_info", 10),
            harness.robot.create_publisher(Image, "rear/image", 10),
        )
        for publisher in harness.rear:
            wait_for(publisher.get_subscription_count, "a subscription to the rear camera")
    info, image = camera_info(), image_to_message(picture(grey))
    info.header.stamp = image.header.stamp = stamp(seconds)
    info.header.frame_id = image.header.frame_id = REAR
    harness.rear[0].publish(info)
    harness.rear[1].publish(image)
    frames = harness.relocalizer.pipeline._others._frames[0]
    wait_for(
        lambda: any(frame.stamp == round(seconds * 1e9) for frame in frames),
        "the rear camera's image",
    )


def test_images_of_one_moment_are_localized_together(
    harness: Harness, localizer: FakeLocalizer, rig: FakeRig
) -> None:
    harness.mount("base_link", REAR, T_BASE_REAR)
    harness.show_and_wait(1.0)
    assert len(localizer.images) == 1
    assert not rig.given
    show_rear(harness, 5.05, 50)
    harness.show_and_wait(5.0)
    assert len(localizer.images) == 1
    main, rear = rig.given[0]
    np.testing.assert_array_equal(main.T_body_camera, np.eye(4))
    np.testing.assert_allclose(rear.T_body_camera, inverse(T_BASE_CAMERA) @ T_BASE_REAR, atol=1e-9)
    assert rear.image[0, 0, 0] == 50
    assert rear.name == REAR


def test_images_of_other_moments_are_left_out(
    harness: Harness, localizer: FakeLocalizer, rig: FakeRig
) -> None:
    harness.mount("base_link", REAR, T_BASE_REAR)
    harness.show_and_wait(1.0)
    show_rear(harness, 4.0, 50)
    harness.show_and_wait(5.0)
    assert not rig.given
    assert len(localizer.images) == 2


def test_a_camera_that_tf_does_not_know_is_left_out(
    harness: Harness, localizer: FakeLocalizer, rig: FakeRig
) -> None:
    harness.show_and_wait(1.0)
    show_rear(harness, 5.0, 50)
    harness.show_and_wait(5.0)
    assert not rig.given
    assert len(localizer.images) == 2


def test_another_camera_takes_the_place_of_a_main_one_that_is_silent(
    harness: Harness, localizer: FakeLocalizer
) -> None:
    harness.mount("base_link", REAR, T_BASE_REAR)
    for seconds, grey in ((3.0, 50), (4.5, 60), (4.6, 70)):
        show_rear(harness, seconds, grey)
    result = harness.wait_for_result(4.6)
    assert result.camera_frame_id == REAR
    assert localizer.images[0][0, 0, 0] == 70


def test_a_camera_that_comes_first_does_not_take_the_place_of_the_main_one(
    harness: Harness, localizer: FakeLocalizer, rig: FakeRig
) -> None:
    """However slowly images come: as of a recording that waits for each answer."""
    harness.mount("base_link", REAR, T_BASE_REAR)
    for seconds in (3.0, 3.1):
        show_rear(harness, seconds, 50)
        time.sleep(1.2)
        harness.show_and_wait(seconds)
    assert not localizer.images
    assert len(rig.given) == 2


@pytest.mark.parametrize(
    ("image", "info"),
    [("/rear/image_raw", "/rear/camera_info"), ("rear/image", "rear/camera_info")],
)
def test_camera_info_lies_beside_the_image(image: str, info: str) -> None:
    assert info_topic_beside(image) == info
