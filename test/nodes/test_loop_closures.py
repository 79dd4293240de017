"""The constraints that the relocalizer gives to a SLAM, over DDS."""

from __future__ import annotations

import numpy as np
import pytest
from nodes.fake_localizer import FakeLocalizer, FakeMaps, localized, rejected

from dense_reloc_ros.geometry.se3 import inverse, rigid

pytest.importorskip("dense_reloc_ros.msg", reason="not built: source install/setup.bash")
from geometry_msgs.msg import Pose
from nodes.harness import Harness, Start
from nodes.observer import wait_for
from nodes.poses import matrix, pose
from nodes.robot import CAMERA_FRAME, camera_info, picture, stamp
from sensor_msgs.msg import Image

from dense_reloc_ros.msg import LoopClosure
from dense_reloc_ros.nodes.conversions import image_to_message, pose_to_message
from dense_reloc_ros.srv import RelocalizeBatch

pytestmark = pytest.mark.ros

T_MAP_CAMERA, T_BASE_CAMERA, T_ODOM_BASE = pose(1), pose(2), pose(3)


@pytest.fixture
def localizer() -> FakeLocalizer:
    return FakeLocalizer(lambda image: localized(T_MAP_CAMERA))


@pytest.fixture
def maps(localizer: FakeLocalizer) -> FakeMaps:
    return FakeMaps(kitchen=localizer)


def listening(harness: Harness) -> list[LoopClosure]:
    """What comes on the topic from now on."""
    heard: list[LoopClosure] = []
    harness.collect(LoopClosure, "relocalizer/loop_closure", heard)
    wait_for(
        lambda: harness.relocalizer.count_subscribers("relocalizer/loop_closure"),
        "the relocalizer to see its audience",
    )
    return heard


def test_a_constraint_places_the_odometry_in_the_map_and_beside_a_keyframe(
    start: Start, maps: FakeMaps, localizer: FakeLocalizer
) -> None:
    harness = start(maps, map="/maps/kitchen")
    harness.activate()
    harness.mount("base_link", CAMERA_FRAME, T_BASE_CAMERA)
    harness.move("odom", "base_link", 5.0, T_ODOM_BASE)
    heard = listening(harness)
    result = harness.show_and_wait(5.0)
    message = wait_for(lambda: heard and heard[0], "a constraint")

    T_map_base = T_MAP_CAMERA @ inverse(T_BASE_CAMERA)
    assert message.header == result.header
    assert (message.odom_frame_id, message.base_frame_id) == ("odom", "base_link")
    assert (message.camera_frame_id, message.map_revision) == (CAMERA_FRAME, "revision 0")
    np.testing.assert_allclose(matrix(message.pose.pose), T_map_base, atol=1e-9)
    np.testing.assert_allclose(matrix(message.odometry), T_ODOM_BASE, atol=1e-9)
    np.testing.assert_allclose(matrix(message.mount), T_BASE_CAMERA, atol=1e-9)
    np.testing.assert_array_equal(message.pose.covariance, result.pose.covariance)
    covariance = message.pose.covariance.reshape(6, 6)
    np.testing.assert_allclose(message.information.reshape(6, 6) @ covariance, np.eye(6), atol=1e-6)
    assert message.consistent

    keyframes = localizer.scene_map.keyframe_poses.numpy()
    T_map_keyframe = keyframes[message.keyframe]
    assert message.keyframe in (0, 1)
    names = localizer.scene_map.information.keyframe_names
    assert message.keyframe_name == names[message.keyframe]
    np.testing.assert_allclose(matrix(message.keyframe_pose), T_map_keyframe, atol=1e-9)
    beside = matrix(message.pose_in_keyframe.pose)
    np.testing.assert_allclose(T_map_keyframe @ beside, T_map_base, atol=1e-9)
    turn = np.kron(np.eye(2), T_map_keyframe[:3, :3].T)
    expected = turn @ covariance @ turn.T
    np.testing.assert_allclose(
        message.pose_in_keyframe.covariance.reshape(6, 6), expected, atol=1e-12
    )
    np.testing.assert_allclose(
        message.information_in_keyframe.reshape(6, 6) @ expected, np.eye(6), atol=1e-6
    )


def test_no_constraint_without_a_pose_or_without_odometry(
    start: Start, maps: FakeMaps, localizer: FakeLocalizer
) -> None:
    harness = start(maps, map="/maps/kitchen", transform_timeout=1.0)
    harness.activate()
    harness.mount("base_link", CAMERA_FRAME, T_BASE_CAMERA)
    harness.move("odom", "base_link", 2.0, T_ODOM_BASE)
    heard = listening(harness)
    localizer.answer = lambda image: rejected()
    harness.show_and_wait(2.0)
    localizer.answer = lambda image: localized(T_MAP_CAMERA)
    harness.show_and_wait(3.0)  # there is no odometry of this time
    wait_for(lambda: harness.relocalizer.reporter.present("odometry"), "it to be given up")
    harness.move("odom", "base_link", 4.0, T_ODOM_BASE)
    harness.show_and_wait(4.0)
    wait_for(lambda: heard, "a constraint")
    assert [message.header.stamp.sec for message in heard] == [4]


def test_a_constraint_waits_for_its_odometry_and_results_do_not(
    start: Start, maps: FakeMaps
) -> None:
    harness = start(maps, map="/maps/kitchen", transform_timeout=10.0, publish_tf=False)
    harness.activate()
    harness.mount("base_link", CAMERA_FRAME, T_BASE_CAMERA)
    heard = listening(harness)
    harness.show_and_wait(2.0)
    harness.wait_for_pose(2.0)
    assert not heard
    harness.move("odom", "base_link", 2.0, T_ODOM_BASE)
    message = wait_for(lambda: heard and heard[0], "a constraint")
    np.testing.assert_allclose(matrix(message.odometry), T_ODOM_BASE, atol=1e-9)


def image(seconds: float, grey: int) -> Image:
    message = image_to_message(picture(grey))
    message.header.stamp, message.header.frame_id = stamp(seconds), CAMERA_FRAME
    return message


def as_message(T: np.ndarray) -> Pose:
    return pose_to_message(T, np.zeros((6, 6))).pose


@pytest.mark.parametrize(("at_once", "prepared"), [(1, []), (4, [4, 2])])
def test_a_batch_gives_constraints_and_marks_those_that_agree(
    start: Start, maps: FakeMaps, localizer: FakeLocalizer, at_once: int, prepared: list[int]
) -> None:
    """Of six images one matches nothing, and one shows another place that looks alike."""
    steps = [rigid(np.eye(3), np.array([0.1 * k, 0.0, 0.0])) for k in range(6)]
    T_map_camera = [T_MAP_CAMERA @ inverse(T_BASE_CAMERA) @ step @ T_BASE_CAMERA for step in steps]
    T_map_camera[2] = rigid(np.eye(3), np.array([0.0, 3.0, 0.0])) @ T_map_camera[2]

    def answer(given: np.ndarray):
        index = int(given[0, 0, 0]) // 40
        return rejected() if index == 4 else localized(T_map_camera[index], 1e-4 * np.eye(6))

    localizer.answer, localizer.images_at_once = answer, at_once
    harness = start(maps, map="/maps/kitchen")
    harness.activate()
    harness.mount("base_link", CAMERA_FRAME, T_BASE_CAMERA)
    request = RelocalizeBatch.Request(
        images=[image(1.0 + k, 40 * k) for k in range(6)],
        camera_infos=[camera_info()],
        odometry=[as_message(T_ODOM_BASE @ step) for step in steps],
    )
    response = harness.call(RelocalizeBatch, "relocalizer/relocalize_batch", request)
    assert (response.success, response.message) == (True, "")
    assert [result.status for result in response.results] == [0, 0, 0, 0, 1, 0]
    assert [c.header.stamp.sec for c in response.constraints] == [1, 2, 3, 4, 6]
    assert [c.consistent for c in response.constraints] == [True, True, False, True, True]
    np.testing.assert_allclose(
        matrix(response.constraints[3].odometry), T_ODOM_BASE @ steps[3], atol=1e-9
    )
    assert (localizer.prepared, len(localizer.images)) == (prepared, 6)


@pytest.mark.parametrize("at_once", [1, 2])
def test_images_of_a_batch_are_told_which_way_is_up(
    start: Start, maps: FakeMaps, localizer: FakeLocalizer, at_once: int
) -> None:
    localizer.images_at_once = at_once
    harness = start(maps, map="/maps/kitchen", planar=True)
    harness.activate()
    harness.mount("base_link", CAMERA_FRAME, T_BASE_CAMERA)
    request = RelocalizeBatch.Request(
        images=[image(1.0, 40), image(2.0, 80)], camera_infos=[camera_info()]
    )
    harness.call(RelocalizeBatch, "relocalizer/relocalize_batch", request)
    assert len(localizer.ups) == 2
    np.testing.assert_allclose(localizer.ups, [T_BASE_CAMERA[2, :3]] * 2, atol=1e-9)


@pytest.mark.parametrize("failing", ["image", "localizer"])
def test_what_fails_for_several_images_together_is_done_one_by_one(
    start: Start, maps: FakeMaps, localizer: FakeLocalizer, failing: str
) -> None:
    def out_of_memory(*_: object) -> None:
        raise MemoryError

    localizer.images_at_once = 2
    images = [image(1.0 + k, 40) for k in range(4)]
    if failing == "image":
        images[1].encoding = "smoke signals"
    else:
        localizer.prepared_together = out_of_memory
    harness = start(maps, map="/maps/kitchen")
    harness.activate()
    request = RelocalizeBatch.Request(images=images, camera_infos=[camera_info()])
    response = harness.call(RelocalizeBatch, "relocalizer/relocalize_batch", request)
    assert response.success
    statuses = [result.status for result in response.results]
    if failing == "image":
        assert (statuses, localizer.prepared) == ([0, 3, 0, 0], [2])
        assert "smoke signals" in response.results[1].reason
    else:
        assert statuses == [0, 0, 0, 0]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"images": []}, "the request has no images"),
        ({"camera_infos": []}, "the request has no camera_infos, and the camera has sent none yet"),
        ({"camera_infos": [camera_info()] * 3}, "3 camera_infos for 2 images"),
        ({"odometry": [Pose()]}, "1 poses of the odometry for 2 images"),
        ({"images": [Image(), Image()]}, "image 0 of the request has no stamp"),
    ],
)
def test_a_batch_that_does_not_fit_is_refused(
    start: Start, maps: FakeMaps, changes: dict[str, list[object]], message: str
) -> None:
    harness = start(maps, map="/maps/kitchen")
    harness.activate()
    request = RelocalizeBatch.Request(
        images=[image(1.0, 0), image(2.0, 0)], camera_infos=[camera_info()]
    )
    for name, value in changes.items():
        setattr(request, name, value)
    response = harness.call(RelocalizeBatch, "relocalizer/relocalize_batch", request)
    assert (response.success, response.message) == (False, message)
    assert not response.results


def test_a_batch_needs_a_configured_node(start: Start, maps: FakeMaps) -> None:
    harness = start(maps)
    request = RelocalizeBatch.Request(images=[image(1.0, 0)])
    response = harness.call(RelocalizeBatch, "relocalizer/relocalize_batch", request)
    assert (response.success, response.message) == (False, "the relocalizer is not configured")
