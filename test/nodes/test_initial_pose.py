"""A pose that somebody gives is a prior for the images that follow, until one contradicts it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from nodes.fake_localizer import FakeLocalizer, FakeMaps, localized, rejected

from dense_reloc_ros.geometry.se3 import inverse, rigid

pytest.importorskip("dense_reloc_ros.msg", reason="not built: source install/setup.bash")
from geometry_msgs.msg import PoseWithCovarianceStamped
from nav2_msgs.srv import SetInitialPose
from nodes.harness import Harness, Start
from nodes.observer import wait_for
from nodes.poses import pose
from nodes.robot import CAMERA_FRAME, stamp
from std_srvs.srv import Empty

from dense_reloc_ros.geometry.base_pose import base_pose
from dense_reloc_ros.nodes.conversions import pose_to_message
from dense_reloc_ros.nodes.transform_buffer import TransformError

pytestmark = pytest.mark.ros

T_MAP_BASE, T_BASE_CAMERA, T_ODOM_BASE = pose(1), pose(2), pose(3)
AHEAD = rigid(np.eye(3), np.array([1.5, 0.0, 0.0]))
LIKE_RVIZ = np.diag([0.25, 0.25, 0.0, 0.0, 0.0, 0.07])


@pytest.fixture
def localizer() -> FakeLocalizer:
    return FakeLocalizer(lambda image: rejected())


@pytest.fixture
def harness(start: Start, localizer: FakeLocalizer) -> Harness:
    """With odometry that moved by 1.5 m between 4 s and 5 s."""
    harness = start(FakeMaps(kitchen=localizer), map="/maps/kitchen")
    harness.activate()
    harness.mount("base_link", CAMERA_FRAME, T_BASE_CAMERA)
    harness.move("odom", "base_link", 4.0, T_ODOM_BASE)
    harness.move("odom", "base_link", 5.0, T_ODOM_BASE @ AHEAD)
    harness.move("odom", "base_link", 9.0, T_ODOM_BASE @ AHEAD)
    wait_for(lambda: knows_odometry_at(9.0, harness), "the odometry to be heard")
    harness.show_and_wait(4.5)
    return harness


def knows_odometry_at(seconds: float, harness: Harness) -> bool:
    try:
        harness.relocalizer.transforms.lookup("odom", CAMERA_FRAME, round(seconds * 1e9))
    except TransformError:
        return False
    return True


def given(seconds: float = 4.0, frame: str = "map", covariance: Any = LIKE_RVIZ) -> Any:
    message = PoseWithCovarianceStamped(pose=pose_to_message(T_MAP_BASE, covariance))
    message.header.frame_id, message.header.stamp = frame, stamp(seconds)
    return message


def set_initial_pose(harness: Harness, message: Any) -> None:
    request = SetInitialPose.Request(pose=message)
    harness.call(SetInitialPose, "relocalizer/set_initial_pose", request)


def test_an_old_pose_is_carried_on_by_odometry(harness: Harness, localizer: FakeLocalizer) -> None:
    publisher = harness.robot.create_publisher(PoseWithCovarianceStamped, "initialpose", 1)
    wait_for(publisher.get_subscription_count, "the relocalizer to listen")
    assert localizer.priors == [None]
    publisher.publish(given())

    times = iter(np.arange(5.0, 9.0, 0.01).tolist())

    def has_prior() -> bool:
        harness.show_and_wait(next(times))
        return localizer.priors[-1] is not None

    wait_for(has_prior, "a prior")
    expected = T_MAP_BASE @ AHEAD @ T_BASE_CAMERA
    np.testing.assert_allclose(localizer.priors[-1], expected, atol=1e-9)
    covariance = localizer.prior_covariances[-1]
    assert np.linalg.eigvalsh(covariance)[0] > 0.0


def test_a_pose_that_fits_is_followed(harness: Harness, localizer: FakeLocalizer) -> None:
    set_initial_pose(harness, given())
    found = T_MAP_BASE @ AHEAD @ rigid(np.eye(3), np.array([0.2, -0.1, 0.0]))
    localizer.answer = lambda image: localized(found @ T_BASE_CAMERA)
    harness.show_and_wait(5.0)
    localizer.answer = lambda image: rejected()
    harness.show_and_wait(6.0)
    np.testing.assert_allclose(localizer.priors[-1], found @ T_BASE_CAMERA, atol=1e-9)
    assert np.diag(localizer.prior_covariances[-1])[:3].max() < 0.1


def test_a_pose_that_an_image_contradicts_is_forgotten(
    harness: Harness, localizer: FakeLocalizer
) -> None:
    set_initial_pose(harness, given())
    elsewhere = T_MAP_BASE @ rigid(np.eye(3), np.array([9.0, 0.0, 0.0]))
    localizer.answer = lambda image: localized(elsewhere @ T_BASE_CAMERA)
    harness.show_and_wait(5.0)
    harness.show_and_wait(6.0)
    assert localizer.priors[-2] is not None
    assert localizer.priors[-1] is None


def test_it_is_forgotten_on_request(harness: Harness, localizer: FakeLocalizer) -> None:
    set_initial_pose(harness, given())
    harness.show_and_wait(5.0)
    assert localizer.priors[-1] is not None
    harness.call(Empty, "relocalizer/reinitialize_global_localization", Empty.Request())
    harness.show_and_wait(6.0)
    assert localizer.priors[-1] is None


@pytest.mark.parametrize(
    "message",
    [given(frame="odom"), given(covariance=-LIKE_RVIZ)],
    ids=["another frame", "no covariance"],
)
def test_a_pose_that_makes_no_sense_is_refused(
    harness: Harness, localizer: FakeLocalizer, message: Any
) -> None:
    set_initial_pose(harness, message)
    harness.show_and_wait(5.0)
    assert localizer.priors[-1] is None


def test_without_odometry_it_is_less_certain_with_time(
    start: Start, localizer: FakeLocalizer
) -> None:
    harness = start(FakeMaps(kitchen=localizer), map="/maps/kitchen", odom_frame="")
    harness.activate()
    harness.mount("base_link", CAMERA_FRAME, T_BASE_CAMERA)
    harness.show_and_wait(3.0)
    set_initial_pose(harness, given())
    harness.show_and_wait(6.0)
    np.testing.assert_allclose(localizer.priors[-1], T_MAP_BASE @ T_BASE_CAMERA, atol=1e-9)
    T_camera_base = inverse(T_BASE_CAMERA)
    _, of_base = base_pose(localizer.priors[-1], localizer.prior_covariances[-1], T_camera_base)
    # 1 m/s and 1 rad/s for two seconds, besides what was given; a variance of zero is unknown.
    expected = [0.25 + 4, 0.25 + 4, 100 + 4, np.pi**2 + 4, np.pi**2 + 4, 0.07 + 4]
    np.testing.assert_allclose(np.diag(of_base), expected, rtol=1e-6)
