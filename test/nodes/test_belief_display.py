"""What RViz and Foxglove show of the belief: the camera with the state in words, and its path."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from nodes.fake_localizer import FakeLocalizer, FakeMaps, localized, rejected

from dense_reloc_ros.geometry.camera import Camera
from dense_reloc_ros.geometry.se3 import shifted

pytest.importorskip("dense_reloc_ros.msg", reason="not built: source install/setup.bash")
from nav_msgs.msg import Path
from nodes.harness import Harness
from nodes.observer import wait_for
from nodes.poses import matrix, pose
from nodes.robot import CAMERA_FRAME
from rclpy.qos import DurabilityPolicy, QoSProfile
from visualization_msgs.msg import Marker, MarkerArray

from dense_reloc_ros.nodes import belief_display
from dense_reloc_ros.nodes.belief_display import frustum
from dense_reloc_ros.nodes.debug_image import DOUBTED, LOCALIZED
from dense_reloc_ros.srv import LoadMap

pytestmark = pytest.mark.ros

LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
HERE = pose(1)


@pytest.fixture
def localizer() -> FakeLocalizer:
    return FakeLocalizer(lambda image: localized(HERE))


@pytest.fixture
def harness(start: Callable[..., Harness], localizer: FakeLocalizer) -> Harness:
    other = FakeLocalizer(lambda image: rejected(), seed=1)
    maps = FakeMaps(kitchen=localizer, hall=other)
    harness = start(maps, map="/maps/kitchen", base_frame="", transform_timeout=9.0)
    harness.activate()
    return harness


@dataclass
class Audience:
    """Somebody who looks on from now on."""

    harness: Harness
    markers: list[MarkerArray] = field(default_factory=list)
    paths: list[Path] = field(default_factory=list)

    def __post_init__(self) -> None:
        subscribe = self.harness.robot.create_subscription
        subscribe(MarkerArray, "relocalizer/markers", self.markers.append, LATCHED)
        subscribe(Path, "relocalizer/path", self.paths.append, LATCHED)
        for topic in ("markers", "path"):
            wait_for(
                lambda topic=topic: self.harness.relocalizer.count_subscribers(
                    f"relocalizer/{topic}"
                ),
                "an audience",
            )

    def wait_for_text(self, text: str) -> dict[str, Marker]:
        """The markers by their namespace, once the state is said so."""

        def find() -> dict[str, Marker] | None:
            for array in self.markers:
                found = {marker.ns: marker for marker in array.markers}
                if "state" in found and found["state"].text == text:
                    return found
            return None

        return wait_for(find, f"the text {text!r}")

    def wait_for_path(self, length: int) -> Path:
        return wait_for(
            lambda: next((p for p in self.paths[::-1] if len(p.poses) == length), None),
            f"a path of {length} poses",
        )


def drive(
    harness: Harness, seconds: float, localizer: Any = None, T_map_camera: Any = None
) -> None:
    """An image with odometry of its time; the robot moves as its pose in the map does."""
    if T_map_camera is not None:
        localizer.answer = lambda image: localized(T_map_camera)
    T_odom_camera = np.eye(4) if T_map_camera is None else T_map_camera
    harness.move("odom", CAMERA_FRAME, seconds, T_odom_camera)
    harness.node.transforms.lookup("odom", CAMERA_FRAME, round(seconds * 1e9), timeout=30)
    harness.show_and_wait(seconds)


def rgb(marker: Marker) -> tuple[int, ...]:
    return tuple(round(255 * value) for value in (marker.color.r, marker.color.g, marker.color.b))


def test_the_camera_is_shown_where_it_is_believed_with_the_state_above_it(harness: Harness) -> None:
    audience = Audience(harness)
    drive(harness, 1.0)
    markers = audience.wait_for_text("TRACKING")
    camera, text = markers["camera"], markers["state"]
    assert camera.header.frame_id == text.header.frame_id == "map"
    assert (camera.type, text.type) == (Marker.LINE_LIST, Marker.TEXT_VIEW_FACING)
    np.testing.assert_allclose(matrix(camera.pose), HERE, atol=1e-9)
    assert text.pose.position.z > HERE[2, 3]
    assert rgb(camera) == rgb(text) == LOCALIZED
    ends = np.array([(point.x, point.y, point.z) for point in camera.points])
    pixels = ends[ends[:, 2] > 0] @ np.array([[50.0, 0, 31.5], [0, 51.0, 23.5], [0, 0, 1]]).T
    corners = {(-0.5, -0.5), (63.5, -0.5), (63.5, 47.5), (-0.5, 47.5)}
    found = {tuple(corner) for corner in np.round(pixels[:, :2] / pixels[:, 2:], 6).tolist()}
    assert found == corners


def test_who_comes_later_is_shown_the_last_pose(harness: Harness) -> None:
    drive(harness, 1.0)
    audience = Audience(harness)
    audience.wait_for_text("TRACKING")
    audience.wait_for_path(1)


def test_a_doubted_belief_changes_its_colour_not_its_place(
    harness: Harness, localizer: FakeLocalizer
) -> None:
    audience = Audience(harness)
    drive(harness, 1.0)
    elsewhere = shifted(HERE, np.array([7.0, 0.0, 0.0]))
    localizer.answer = lambda image: localized(elsewhere)
    drive(harness, 2.0)
    shown = wait_for(
        lambda: next((a for a in audience.markers if rgb(a.markers[0]) == DOUBTED), None), "a doubt"
    )
    camera, text = shown.markers
    np.testing.assert_allclose(matrix(camera.pose), HERE, atol=1e-9)
    assert text.text.startswith("UNSURE: ")


def test_the_path_leaves_out_steps_that_nobody_sees(
    harness: Harness, localizer: FakeLocalizer
) -> None:
    audience = Audience(harness)
    for second, metres in enumerate((0.0, 0.01, 0.04, 0.06, 0.2), start=1):
        drive(harness, float(second), localizer, shifted(HERE, np.array([metres, 0.0, 0.0])))
    path = audience.wait_for_path(3)
    assert path.header.frame_id == "map"
    x = [pose.pose.position.x - HERE[0, 3] for pose in path.poses]
    np.testing.assert_allclose(x, [0.0, 0.06, 0.2], atol=1e-9)
    assert [pose.header.stamp.sec for pose in path.poses] == [1, 4, 5]


def test_the_oldest_poses_of_a_long_path_are_forgotten(
    start: Callable[..., Harness], localizer: FakeLocalizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(belief_display, "LONGEST_PATH", 2)
    maps = FakeMaps(kitchen=localizer)
    harness = start(maps, map="/maps/kitchen", base_frame="", transform_timeout=9.0)
    harness.activate()
    audience = Audience(harness)
    for second in range(1, 5):
        drive(harness, float(second), localizer, shifted(HERE, np.array([second, 0.0, 0.0])))
    wait_for(lambda: audience.paths[-1].header.stamp.sec == 4, "the last path")
    assert [pose.header.stamp.sec for pose in audience.paths[-1].poses] == [3, 4]


def test_another_map_ends_what_is_shown(harness: Harness) -> None:
    audience = Audience(harness)
    drive(harness, 1.0)
    audience.wait_for_path(1)
    request = LoadMap.Request(map_path="/maps/hall")
    assert harness.call(LoadMap, "relocalizer/load_map", request).success
    wait_for(lambda: not audience.paths[-1].poses, "an empty path")
    wait_for(lambda: audience.markers[-1].markers[0].action == Marker.DELETEALL, "no markers")
    late = Audience(harness)
    wait_for(lambda: late.markers, "the last message")
    assert [marker.action for marker in late.markers[-1].markers] == [Marker.DELETEALL]


def test_nothing_is_made_without_an_audience(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> MarkerArray:
        raise AssertionError

    monkeypatch.setattr(belief_display, "markers_message", refuse)
    drive(harness, 1.0)
    assert harness.wait_for_result(1.0).status == 0  # which comes after what is shown


def test_a_frustum_has_four_edges_from_the_camera_and_four_around_what_it_sees() -> None:
    ends = frustum(Camera(200, 100, 100.0, 100.0, 99.5, 49.5)).reshape(8, 2, 3)
    np.testing.assert_array_equal(ends[:4, 0], 0.0)
    np.testing.assert_allclose(ends[4:, 0], ends[:4, 1])
    np.testing.assert_allclose(
        ends[:4, 1], [[-0.4, -0.2, 0.4], [0.4, -0.2, 0.4], [0.4, 0.2, 0.4], [-0.4, 0.2, 0.4]]
    )
