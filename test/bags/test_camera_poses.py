"""The camera's pose is found by interpolation and transforms, whatever a bag has poses of."""

from __future__ import annotations

import numpy as np
import pytest
from bags.robot_bag import (
    SECOND,
    base_in_map,
    camera_in_map,
    odometry,
    pose_stamped,
    pose_with_covariance,
    write_robot_bag,
)

from dense_reloc_ros.bags.bag_reader import BagReader
from dense_reloc_ros.bags.camera_poses import PoseSource, camera_poses
from dense_reloc_ros.errors import InputError
from dense_reloc_ros.geometry.se3 import pose_error

TIMES = np.arange(0.2, 3.6, 0.1)
BETWEEN = [0.533, 1.271, 2.948]


def assert_is_camera(at, times=BETWEEN, millimetres=3.0, degrees=0.3):
    for time in times:
        error = pose_error(at(round(time * SECOND)), camera_in_map(time))
        assert error.translation < millimetres / 1000
        assert np.rad2deg(error.rotation) < degrees


def test_transforms_alone_give_the_camera_at_any_time(tmp_path):
    with BagReader(write_robot_bag(tmp_path / "bag")) as bag:
        assert_is_camera(camera_poses(bag, PoseSource(None), "camera"))


def test_before_and_after_the_transforms_nothing_is_known(tmp_path):
    with BagReader(write_robot_bag(tmp_path / "bag")) as bag:
        at = camera_poses(bag, PoseSource(None), "camera")
        assert at(5 * SECOND) is None


@pytest.mark.parametrize(
    "message", [pose_with_covariance, pose_stamped, odometry], ids=lambda f: f.__name__
)
def test_poses_of_the_base_are_recognized_and_brought_to_the_camera(tmp_path, message):
    poses = [message(time, base_in_map(time)) for time in TIMES]
    with BagReader(write_robot_bag(tmp_path / "bag", poses)) as bag:
        assert_is_camera(camera_poses(bag, PoseSource("/pose"), "camera"))


@pytest.mark.parametrize("message", [pose_with_covariance, pose_stamped], ids=lambda f: f.__name__)
def test_poses_of_the_camera_are_recognized(tmp_path, message):
    poses = [message(time, camera_in_map(time)) for time in TIMES]
    with BagReader(write_robot_bag(tmp_path / "bag", poses)) as bag:
        assert_is_camera(camera_poses(bag, PoseSource("/pose"), "camera"))


def test_without_the_map_on_tf_poses_with_covariance_are_the_bases(tmp_path):
    poses = [pose_with_covariance(time, base_in_map(time)) for time in TIMES]
    with BagReader(write_robot_bag(tmp_path / "bag", poses, with_map=False)) as bag:
        assert_is_camera(camera_poses(bag, PoseSource("/pose"), "camera"))


def test_a_named_body_holds_whatever_transforms_say(tmp_path):
    poses = [pose_stamped(time, base_in_map(time)) for time in TIMES]
    with BagReader(write_robot_bag(tmp_path / "bag", poses, with_map=False)) as bag:
        at = camera_poses(bag, PoseSource("/pose", pose_frame="base_link"), "camera")
        assert_is_camera(at)


def test_gaps_are_not_bridged_beyond_the_limit(tmp_path):
    poses = [odometry(time, base_in_map(time)) for time in (0.5, 1.0, 1.2)]
    with BagReader(write_robot_bag(tmp_path / "bag", poses)) as bag:
        at = camera_poses(bag, PoseSource("/pose"), "camera")
        assert at(round(0.75 * SECOND)) is None
        assert_is_camera(at, [0.5, 1.1])
        wider = camera_poses(bag, PoseSource("/pose", largest_gap=SECOND), "camera")
        assert wider(round(0.75 * SECOND)) is not None


def test_a_frame_that_is_not_there_is_named_with_those_that_are(tmp_path):
    with (
        BagReader(write_robot_bag(tmp_path / "bag")) as bag,
        pytest.raises(InputError, match=r"'world' to 'camera' .* have: base_link, camera, head"),
    ):
        camera_poses(bag, PoseSource(None, map_frame="world"), "camera")
