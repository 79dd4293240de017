"""Cameras and robots that do things in another way than most: latched, rectified, old names."""

from __future__ import annotations

import numpy as np
import pytest
from nodes.fake_localizer import FakeLocalizer, FakeMaps, localized

from dense_reloc_ros.errors import ConfigurationError
from dense_reloc_ros.geometry.camera import Camera
from dense_reloc_ros.geometry.se3 import inverse

pytest.importorskip("dense_reloc_ros.msg", reason="not built: source install/setup.bash")
from nodes.harness import Start
from nodes.observer import wait_for
from nodes.poses import matrix, pose
from nodes.robot import camera_info, stamp, transform
from rclpy.qos import DurabilityPolicy, QoSProfile
from sensor_msgs.msg import CameraInfo
from tf2_msgs.msg import TFMessage

from dense_reloc_ros.nodes.frame_localizer import FrameLocalizer
from dense_reloc_ros.nodes.node_configuration import RelocalizerConfiguration

pytestmark = pytest.mark.ros

T_MAP_CAMERA, T_BASE_CAMERA, T_ODOM_BASE = pose(1), pose(2), pose(3)
P = [40.0, 0.0, 33.0, 0.0, 0.0, 41.0, 22.0, 0.0, 0.0, 0.0, 1.0, 0.0]


@pytest.fixture
def localizer() -> FakeLocalizer:
    return FakeLocalizer(lambda image: localized(T_MAP_CAMERA))


@pytest.fixture
def maps(localizer: FakeLocalizer) -> FakeMaps:
    return FakeMaps(kitchen=localizer)


@pytest.mark.parametrize(
    ("rectified", "expected"),
    [
        (True, Camera(64, 48, 40.0, 41.0, 33.0, 22.0)),
        (
            "auto",
            Camera(64, 48, 50.0, 51.0, 31.5, 23.5, "plumb_bob", (0.1, -0.2, 0.001, 0.002, 0.0)),
        ),
    ],
)
def test_rectified_images_are_described_by_p(
    start: Start, maps: FakeMaps, localizer: FakeLocalizer, rectified: object, expected: Camera
) -> None:
    harness = start(maps, map="/maps/kitchen", odom_frame="", base_frame="", rectified=rectified)
    harness.activate()
    harness.show_and_wait(1.0, None, camera_info(p=P))
    assert localizer.cameras[0] == expected


@pytest.mark.parametrize(
    ("topic", "rectified", "expected"),
    [
        ("/camera/image_rect", "auto", True),
        ("/camera/image_rect_color/compressed", "auto", True),
        ("/camera/image_raw", "auto", False),
        ("/camera/image_rect", False, False),
        ("/camera/image_raw", True, True),
    ],
)
def test_the_name_of_the_topic_says_whether_images_are_rectified(
    topic: str, rectified: object, expected: bool
) -> None:
    settings = RelocalizerConfiguration(rectified=rectified)
    assert FrameLocalizer(None, settings, None, None, topic).takes_rectified is expected


def test_a_camera_info_that_was_sent_once_and_kept_is_heard(
    start: Start, maps: FakeMaps, localizer: FakeLocalizer
) -> None:
    harness = start(maps, map="/maps/kitchen", odom_frame="", base_frame="")
    latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
    publisher = harness.robot.create_publisher(CameraInfo, "camera_info", latched)
    publisher.publish(camera_info())
    harness.activate()
    wait_for(lambda: publisher.get_subscription_count() == 2, "both subscriptions")
    harness.show_without_camera_info(1.0)
    harness.show_without_camera_info(2.0)
    assert harness.wait_for_result(2.0).status == 0
    assert localizer.cameras[-1].fx == 50.0


def test_frames_may_begin_with_a_slash(start: Start, maps: FakeMaps) -> None:
    harness = start(
        maps, map="/maps/kitchen", odom_frame="/odom", base_frame="/base_link", map_frame="/map"
    )
    harness.activate()
    static = transform("/base_link", "/camera_optical_frame", 0.0, T_BASE_CAMERA)
    harness.tf_static.publish(TFMessage(transforms=[static]))
    for seconds in (4.9, 5.1):
        harness.move("/odom", "/base_link", seconds, T_ODOM_BASE)
    info = camera_info()
    info.header.frame_id = "/camera_optical_frame"
    info.header.stamp = stamp(5.0)
    harness.camera_infos.publish(info)
    harness.show_without_camera_info(5.0)
    published = harness.wait_for_pose(5.0)
    assert published.header.frame_id == "map"
    expected = T_MAP_CAMERA @ inverse(T_BASE_CAMERA)
    np.testing.assert_allclose(matrix(published.pose.pose), expected, atol=1e-9)
    assert harness.wait_for_transform(6.0).child_frame_id == "odom"


def test_a_misspelt_parameter_is_refused_with_the_nearest_right_one(
    start: Start, maps: FakeMaps
) -> None:
    with pytest.raises(ConfigurationError, match=r"candidats'.*did you mean 'retrieval.candidat"):
        start(maps, **{"retrieval.candidats": 3})
    with pytest.raises(ConfigurationError, match=r"'mapp': .*did you mean 'map'"):
        start(maps, mapp="/maps/kitchen")
    # Those of the other node may share a file or a command line with this one's.
    start(maps, **{"filter.gate": 0.99})
