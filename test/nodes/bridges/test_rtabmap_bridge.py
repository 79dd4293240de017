"""Loop closures as RTAB-Map hears them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pytest.importorskip("dense_reloc_ros.msg", reason="not built: source install/setup.bash")
pytest.importorskip("rtabmap_msgs.msg", reason="rtabmap_msgs is neither built nor installed")
from nodes.bridges.bridge_harness import COVARIANCE, loop_closure
from nodes.observer import wait_for
from nodes.poses import matrix, pose
from rtabmap_msgs.msg import Info, LandmarkDetection, Link
from rtabmap_msgs.srv import AddLink

from dense_reloc_ros.msg import LoopClosure
from dense_reloc_ros.nodes.bridges.rtabmap_bridge import RtabmapBridge
from dense_reloc_ros.nodes.bridges.rtabmap_links import link_to_keyframe, node_of_keyframe
from dense_reloc_ros.nodes.conversions import time_message

pytestmark = pytest.mark.ros

T_MAP_BASE, T_MAP_KEYFRAME, T_BASE_CAMERA = pose(1), pose(2), pose(3)


def closure(seconds: float, name: str = "frame 12") -> LoopClosure:
    return loop_closure(seconds, T_MAP_BASE, T_MAP_KEYFRAME, T_BASE_CAMERA, name)


def test_a_keyframe_is_a_landmark_seen_from_the_base(start_bridge: Any) -> None:
    harness = start_bridge(RtabmapBridge, first_landmark=1000, least_confidence=0.5)
    detections = harness.heard(LandmarkDetection, "landmark_detection")
    publisher = harness.publisher(LoopClosure, "loop_closure")
    doubtful, unknown = closure(1.0), closure(2.0)
    doubtful.confidence, unknown.keyframe = 0.4, -1
    for message in (doubtful, unknown, closure(3.0)):
        publisher.publish(message)
    (detection,) = wait_for(lambda: list(detections), "a detection")
    assert (detection.header.frame_id, detection.header.stamp.sec) == ("base_link", 3)
    assert (detection.id, detection.landmark_frame_id, detection.size) == (1007, "keyframe_7", 0.0)
    expected = np.linalg.inv(T_MAP_BASE) @ T_MAP_KEYFRAME
    np.testing.assert_allclose(matrix(detection.pose.pose), expected, atol=1e-9)
    covariance = np.asarray(detection.pose.covariance).reshape(6, 6)
    assert np.linalg.eigvalsh(covariance).min() > 0
    # Of a body turned by R the landmark's rotation is as uncertain, about other axes.
    turn = expected[:3, :3]
    np.testing.assert_allclose(covariance[3:, 3:], turn @ COVARIANCE[3:, 3:] @ turn.T, atol=1e-12)


def test_a_link_joins_the_node_of_the_image_and_that_of_the_keyframe(start_bridge: Any) -> None:
    harness = start_bridge(RtabmapBridge, link="add_link")
    links: list[Link] = []

    def add(request: AddLink.Request, response: AddLink.Response) -> AddLink.Response:
        links.append(request.link)
        return response

    harness.node.create_service(AddLink, "add_link", add)
    closures = harness.publisher(LoopClosure, "loop_closure")
    infos = harness.publisher(Info, "info")
    wait_for(harness.bridge._links.service_is_ready, "the bridge to see add_link")
    for seconds in (5.0, 6.0):
        closures.publish(closure(seconds))
    for node, seconds in ((40, 4.0), (41, 5.004), (42, 5.9)):
        info = Info(ref_id=node)
        info.header.stamp = time_message(round(seconds * 1e9))
        infos.publish(info)
    (link,) = wait_for(lambda: list(links), "a link")
    assert (link.from_id, link.to_id, link.type) == (41, 12, 1)
    T_map_node = T_MAP_KEYFRAME @ np.linalg.inv(T_BASE_CAMERA)
    expected = np.linalg.inv(T_MAP_BASE) @ T_map_node
    np.testing.assert_allclose(matrix(link.transform), expected, atol=1e-9)


def test_the_information_of_a_link_is_symmetric_and_that_of_its_transform() -> None:
    """Where both places are the map's origin it is the inverse of the pose's covariance."""
    message = loop_closure(0.0, np.eye(4), np.eye(4), np.eye(4), "1")
    information = np.asarray(link_to_keyframe(message, 2, 1).information).reshape(6, 6)
    np.testing.assert_array_equal(information, information.T)
    np.testing.assert_allclose(information @ COVARIANCE, np.eye(6), atol=1e-9)


@pytest.mark.parametrize(
    ("name", "node"), [("12", 12), ("frame-000017.color", 17), ("a3_20.png", 20), ("door", None)]
)
def test_a_keyframes_name_ends_with_its_node(name: str, node: int | None) -> None:
    assert node_of_keyframe(name) == node
