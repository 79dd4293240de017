"""What AMCL and slam_toolbox, robot_localization and Autoware hear."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pytest.importorskip("dense_reloc_ros.msg", reason="not built: source install/setup.bash")
from geometry_msgs.msg import PoseWithCovarianceStamped, TransformStamped
from nodes.bridges.bridge_harness import COVARIANCE, result
from nodes.observer import wait_for
from nodes.poses import matrix, pose
from tf2_msgs.msg import TFMessage

from dense_reloc_ros.geometry.se3 import rigid
from dense_reloc_ros.msg import RelocResult
from dense_reloc_ros.nodes.bridges.initial_pose_bridge import InitialPoseBridge
from dense_reloc_ros.nodes.bridges.robot_localization_bridge import (
    RobotLocalizationBridge,
    at_least,
)
from dense_reloc_ros.nodes.conversions import time_message, transform_to_message
from dense_reloc_ros.srv import Relocalize

pytestmark = pytest.mark.ros

T_MAP_BASE = pose(1)


def place(seconds: float, T_map_base: np.ndarray) -> TFMessage:
    transform = TransformStamped(child_frame_id="base_link")
    transform.header.frame_id = "map"
    transform.header.stamp = time_message(round(seconds * 1e9))
    transform.transform = transform_to_message(T_map_base)
    return TFMessage(transforms=[transform])


def test_a_lost_localizer_is_told_once_where_the_robot_is(start_bridge: Any) -> None:
    harness = start_bridge(InitialPoseBridge, frames=2)
    told = harness.heard(PoseWithCovarianceStamped, "initialpose")
    results, tf = harness.publisher(RelocResult, "result"), harness.publisher(TFMessage, "/tf")
    elsewhere = rigid(np.eye(3), np.array([3.0, 0.0, 0.0])) @ T_MAP_BASE
    for seconds in (1.0, 2.0, 3.0, 4.0):
        tf.publish(place(seconds, elsewhere))
    wait_for(lambda: _known(harness, 4.0), "the bridge to hear where the other one thinks it is")
    results.publish(result(0.5, T_MAP_BASE, base_frame_id=""))  # without a pose
    for seconds in (1.0, 2.0, 3.0, 4.0):
        results.publish(result(seconds, T_MAP_BASE))
    (first,) = wait_for(lambda: list(told), "an initial pose")
    assert (first.header.stamp.sec, first.header.frame_id) == (2, "map")
    np.testing.assert_allclose(matrix(first.pose.pose), T_MAP_BASE, atol=1e-9)

    for seconds in (5.0, 6.0, 7.0, 8.0):  # it agreed, and is carried off later
        tf.publish(place(seconds, T_MAP_BASE if seconds == 5.0 else elsewhere))
    wait_for(lambda: _known(harness, 8.0), "the bridge to hear more")
    for seconds in (5.0, 6.0, 7.0, 8.0):
        results.publish(result(seconds, T_MAP_BASE))
    wait_for(lambda: len(told) == 2, "another initial pose")
    assert told[1].header.stamp.sec == 7


def _known(harness: Any, seconds: float) -> bool:
    try:
        harness.bridge._transforms.lookup("map", "base_link", round(seconds * 1e9))
    except Exception:
        return False
    return True


def test_a_filter_gets_poses_with_a_covariance_that_it_can_invert(start_bridge: Any) -> None:
    harness = start_bridge(RobotLocalizationBridge, least_confidence=0.9, least_deviation=0.015)
    heard = harness.heard(PoseWithCovarianceStamped, "pose0")
    results = harness.publisher(RelocResult, "result")
    results.publish(result(1.0, T_MAP_BASE, confidence=0.8))
    results.publish(result(2.0, T_MAP_BASE, base_frame_id=""))
    results.publish(result(3.0, T_MAP_BASE))
    (message,) = wait_for(lambda: list(heard), "a pose")
    assert (message.header.stamp.sec, message.header.frame_id) == (3, "map")
    np.testing.assert_allclose(matrix(message.pose.pose), T_MAP_BASE, atol=1e-9)
    expected = np.diag(np.maximum(np.diag(COVARIANCE), 0.015**2))
    np.testing.assert_allclose(
        np.asarray(message.pose.covariance).reshape(6, 6), expected, atol=1e-15
    )


def test_a_covariance_grows_in_small_directions_only() -> None:
    turn = np.linalg.qr(np.random.default_rng(0).normal(size=(6, 6)))[0]
    covariance = turn @ np.diag([0.0, 1e-9, 1e-4, 0.01, 0.04, 1.0]) @ turn.T
    values, directions = np.linalg.eigh(at_least(covariance, 0.1))
    np.testing.assert_allclose(values, [0.01] * 4 + [0.04, 1.0], atol=1e-12)
    np.testing.assert_allclose(np.abs(directions[:, -1]), np.abs(turn[:, -1]), atol=1e-9)


@pytest.fixture
def autoware(start_bridge: Any) -> Any:
    """The bridge, with a relocalizer that answers what the test says, and what it was asked."""
    pytest.importorskip("autoware_internal_localization_msgs.srv", reason="not built")
    from dense_reloc_ros.nodes.bridges.autoware_bridge import AutowareBridge

    harness = start_bridge(AutowareBridge, reliable_confidence=0.9, least_confidence=0.5)
    harness.asked, harness.answer = [], result(1.0, T_MAP_BASE)

    def relocalize(request: Any, response: Any) -> Any:
        harness.asked.append(request)
        response.result = harness.answer
        return response

    harness.node.create_service(Relocalize, "relocalize", relocalize)
    wait_for(harness.bridge._relocalize.service_is_ready, "the bridge to see the relocalizer")
    return harness


def align(harness: Any, frame_id: str = "map") -> Any:
    from autoware_internal_localization_msgs.srv import PoseWithCovarianceStamped as Align

    request = Align.Request()
    request.pose_with_covariance.header.frame_id = frame_id
    request.pose_with_covariance.pose.pose.position.x = 2.5
    return harness.call(Align, "yabloc_align", request)


def test_autoware_gets_a_pose_from_its_guess(autoware: Any) -> None:
    answer = align(autoware)
    assert (answer.success, answer.reliable) == (True, True)
    found = answer.pose_with_covariance
    assert (found.header.frame_id, found.header.stamp.sec) == ("map", 1)
    np.testing.assert_allclose(matrix(found.pose.pose), T_MAP_BASE, atol=1e-9)
    asked = autoware.asked[0]
    assert asked.use_prior and asked.prior.pose.pose.position.x == 2.5
    assert not asked.image.data


def test_a_guess_without_a_frame_is_no_prior(autoware: Any) -> None:
    assert align(autoware, frame_id="").success
    assert not autoware.asked[0].use_prior


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"confidence": 0.8}, (True, False)),
        ({"confidence": 0.4}, (False, False)),
        ({"base_frame_id": "", "reason": "too dark"}, (False, False)),
    ],
)
def test_autoware_is_told_how_sure_it_is(autoware: Any, changes: Any, expected: Any) -> None:
    autoware.answer = result(1.0, T_MAP_BASE, **changes)
    answer = align(autoware)
    assert (answer.success, answer.reliable) == expected
