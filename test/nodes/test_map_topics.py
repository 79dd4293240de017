"""The map on topics that keep the last message, over DDS."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from nodes.fake_localizer import FakeLocalizer, FakeMaps, localized

pytest.importorskip("dense_reloc_ros.msg", reason="not built: source install/setup.bash")
from geometry_msgs.msg import PoseArray
from lifecycle_msgs.msg import Transition
from nodes.harness import Harness, Start
from nodes.observer import wait_for
from nodes.poses import matrix
from rclpy.qos import DurabilityPolicy, QoSProfile
from sensor_msgs.msg import PointCloud2

from dense_reloc_ros.srv import LoadMap

pytestmark = pytest.mark.ros

LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)


@pytest.fixture
def maps() -> FakeMaps:
    answer = localized(np.eye(4))
    return FakeMaps(
        kitchen=FakeLocalizer(lambda image: answer),
        office=FakeLocalizer(lambda image: answer, seed=1),
    )


def latched(harness: Harness) -> tuple[list[PointCloud2], list[PoseArray]]:
    """What comes to somebody who subscribes now."""
    clouds: list[PointCloud2] = []
    arrays: list[PoseArray] = []
    subscribe = harness.robot.create_subscription
    subscribe(PointCloud2, "relocalizer/map_points", clouds.append, LATCHED)
    subscribe(PoseArray, "relocalizer/map_keyframes", arrays.append, LATCHED)
    return clouds, arrays


def points_of(cloud: PointCloud2) -> np.ndarray:
    """x, y, z."""
    assert [(f.name, f.offset, f.datatype) for f in cloud.fields] == [
        ("x", 0, 7),
        ("y", 4, 7),
        ("z", 8, 7),
        ("rgb", 12, 7),
    ]
    assert (cloud.height, cloud.point_step, cloud.row_step) == (1, 16, 16 * cloud.width)
    return np.frombuffer(cloud.data, "<f4").reshape(cloud.width, 4)[:, :3]


def colours_of(cloud: PointCloud2) -> np.ndarray:
    """Red, green, blue: the bytes of each rgb from its highest to its lowest."""
    assert not cloud.is_bigendian
    return np.frombuffer(cloud.data, np.uint8).reshape(cloud.width, 16)[:, 14:11:-1]


def test_who_comes_later_gets_the_points_and_keyframes_of_the_map(
    start: Start, maps: FakeMaps
) -> None:
    harness = start(maps, map="/maps/kitchen")
    harness.activate()
    clouds, arrays = latched(harness)
    wait_for(lambda: clouds and arrays, "the map")
    scene_map = maps.localizers["kitchen"].scene_map
    assert clouds[0].header.frame_id == arrays[0].header.frame_id == "map"
    np.testing.assert_array_equal(points_of(clouds[0]), scene_map.points.numpy())
    poses = np.array([matrix(pose) for pose in arrays[0].poses])
    np.testing.assert_allclose(poses, scene_map.keyframe_poses.numpy(), atol=1e-9)


@pytest.mark.parametrize("has_colours", [True, False])
def test_points_have_their_colours(start: Start, maps: FakeMaps, has_colours: bool) -> None:
    kitchen = maps.localizers["kitchen"]
    colours = torch.arange(60, dtype=torch.uint8).reshape(20, 3)
    if has_colours:
        kitchen.scene_map = replace(kitchen.scene_map, colours=colours)
    harness = start(maps, map="/maps/kitchen")
    harness.activate()
    clouds, _ = latched(harness)
    wait_for(lambda: clouds, "the map")
    expected = colours.numpy() if has_colours else np.full((20, 3), 160)
    np.testing.assert_array_equal(colours_of(clouds[0]), expected)


def test_an_inactive_node_shows_no_map(start: Start, maps: FakeMaps) -> None:
    harness = start(maps, map="/maps/kitchen")
    assert harness.change_state(Transition.TRANSITION_CONFIGURE)
    clouds, arrays = latched(harness)
    wait_for(lambda: harness.relocalizer.count_subscribers("relocalizer/map_points"), "audience")
    assert not clouds and not arrays
    assert harness.change_state(Transition.TRANSITION_ACTIVATE)
    wait_for(lambda: clouds and arrays, "the map")
    assert len(clouds) == len(arrays) == 1


def test_another_map_takes_its_place(start: Start, maps: FakeMaps) -> None:
    harness = start(maps, map="/maps/kitchen")
    harness.activate()
    assert harness.call(
        LoadMap, "relocalizer/load_map", LoadMap.Request(map_path="/maps/office")
    ).success
    clouds, _ = latched(harness)
    wait_for(lambda: clouds, "the map")
    expected = maps.localizers["office"].scene_map.points.numpy()
    np.testing.assert_array_equal(points_of(clouds[-1]), expected)


def test_the_map_is_in_the_frame_that_poses_are_in(start: Start, maps: FakeMaps) -> None:
    harness = start(maps, map="/maps/kitchen", base_frame="", map_frame="hall")
    clouds, arrays = latched(harness)
    harness.activate()
    wait_for(lambda: clouds and arrays, "the map")
    assert (clouds[-1].header.frame_id, arrays[-1].header.frame_id) == ("hall", "hall")
