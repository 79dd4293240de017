from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore
from scipy.spatial.transform import Rotation

from dense_reloc_ros.bags.bag_reader import BagReader
from dense_reloc_ros.bags.camera_poses import PoseSource, camera_poses
from dense_reloc_ros.bags.recorded_poses import read_body_poses, static_transform
from dense_reloc_ros.errors import InputError
from dense_reloc_ros.geometry.se3 import rigid
from dense_reloc_ros.geometry.trajectory import Trajectory

TYPES = get_typestore(Stores.ROS2_JAZZY)
T_MAP_BASE = rigid(Rotation.random(random_state=1).as_matrix(), np.array([1.0, 2.0, 3.0]))
T_BASE_MOUNT = rigid(Rotation.random(random_state=2).as_matrix(), np.array([0.1, 0.0, 0.5]))
T_MOUNT_CAMERA = rigid(Rotation.random(random_state=3).as_matrix(), np.array([0.0, 0.2, 0.0]))


def read_poses(bag: BagReader, topic: str, camera_frame: str) -> Trajectory:
    """The camera's poses at the stamps of a topic."""
    at = camera_poses(bag, PoseSource(topic), camera_frame)
    stamps = read_body_poses(bag, topic).trajectory.stamps
    return Trajectory(stamps, np.array([at(int(stamp)) for stamp in stamps]))


def make(type_name: str, *fields: Any) -> Any:
    return TYPES.types[type_name](*fields)


def header(frame: str) -> Any:
    time = make("builtin_interfaces/msg/Time", 4, 500_000_000)
    return make("std_msgs/msg/Header", time, frame)


def quaternion(matrix: np.ndarray) -> Any:
    values = Rotation.from_matrix(matrix[:3, :3]).as_quat()
    return make("geometry_msgs/msg/Quaternion", *values.tolist())


def pose(matrix: np.ndarray) -> Any:
    point = make("geometry_msgs/msg/Point", *matrix[:3, 3].tolist())
    return make("geometry_msgs/msg/Pose", point, quaternion(matrix))


def transform(parent: str, child: str, matrix: np.ndarray) -> Any:
    vector = make("geometry_msgs/msg/Vector3", *matrix[:3, 3].tolist())
    content = make("geometry_msgs/msg/Transform", vector, quaternion(matrix))
    return make("geometry_msgs/msg/TransformStamped", header(parent), child, content)


def with_covariance(matrix: np.ndarray) -> Any:
    return make("geometry_msgs/msg/PoseWithCovariance", pose(matrix), np.zeros(36))


def odometry(child: str, matrix: np.ndarray) -> Any:
    zero = make("geometry_msgs/msg/Vector3", 0.0, 0.0, 0.0)
    twist = make(
        "geometry_msgs/msg/TwistWithCovariance",
        make("geometry_msgs/msg/Twist", zero, zero),
        np.zeros(36),
    )
    return make("nav_msgs/msg/Odometry", header("map"), child, with_covariance(matrix), twist)


@pytest.fixture
def write(tmp_path: Path):
    def write(*messages: Any) -> Path:
        # As several nodes publish them: one message each, and the second one the other way round.
        static = [
            transform("base_link", "mount", T_BASE_MOUNT),
            transform("camera", "mount", np.linalg.inv(T_MOUNT_CAMERA)),
        ]
        path = tmp_path / "bag"
        with Writer(path, version=9, storage_plugin=StoragePlugin.MCAP) as writer:
            kind = "tf2_msgs/msg/TFMessage"
            connection = writer.add_connection("/tf_static", kind, typestore=TYPES)
            for edge in static:
                data = TYPES.serialize_cdr(make(kind, [edge]), kind)
                writer.write(connection, 0, data)
            kind = messages[0].__msgtype__
            connection = writer.add_connection("/pose", kind, typestore=TYPES)
            for time, message in enumerate(messages, start=1):
                writer.write(connection, time, TYPES.serialize_cdr(message, kind))
        return path

    return write


@pytest.mark.parametrize(
    "message",
    [
        make("geometry_msgs/msg/PoseStamped", header("map"), pose(T_MAP_BASE)),
        make(
            "geometry_msgs/msg/PoseWithCovarianceStamped",
            header("map"),
            with_covariance(T_MAP_BASE),
        ),
    ],
    ids=["pose", "covariance"],
)
def test_poses_that_name_no_body_are_the_cameras(write, message):
    with BagReader(write(message)) as bag:
        poses = read_poses(bag, "/pose", "camera")
    assert poses.stamps.tolist() == [4_500_000_000]
    np.testing.assert_allclose(poses.poses[0], T_MAP_BASE, atol=1e-12)


@pytest.mark.parametrize(
    "message",
    [odometry("base_link", T_MAP_BASE), transform("map", "base_link", T_MAP_BASE)],
    ids=["odometry", "transform"],
)
def test_poses_of_the_base_are_brought_to_the_camera(write, message):
    with BagReader(write(message)) as bag:
        poses = read_poses(bag, "/pose", "camera")
    expected = T_MAP_BASE @ T_BASE_MOUNT @ T_MOUNT_CAMERA
    np.testing.assert_allclose(poses.poses[0], expected, atol=1e-12)


def test_frames_that_nothing_connects_are_named(write):
    with (
        BagReader(write(odometry("wheel", T_MAP_BASE))) as bag,
        pytest.raises(InputError, match=r"'wheel' to 'camera' .*have: base_link, camera, mount"),
    ):
        read_poses(bag, "/pose", "camera")


def test_a_frame_is_where_it_is(write):
    with BagReader(write(odometry("base_link", T_MAP_BASE))) as bag:
        np.testing.assert_array_equal(static_transform(bag, "camera", "camera"), np.eye(4))


def test_a_pose_that_is_not_finite_is_refused(write):
    broken = T_MAP_BASE.copy()
    broken[0, 3] = np.nan
    message = make("geometry_msgs/msg/PoseStamped", header("map"), pose(broken))
    with BagReader(write(message)) as bag, pytest.raises(InputError, match=r"/pose: .*not finite"):
        read_poses(bag, "/pose", "camera")


def stamped(matrix: np.ndarray, second: int) -> Any:
    message = make("geometry_msgs/msg/PoseStamped", header("map"), pose(matrix))
    message.header.stamp.sec, message.header.stamp.nanosec = second, 0
    return message


@pytest.mark.parametrize("bad", [np.nan, -np.inf])
def test_bad_poses_among_good_ones_are_left_out_and_named(write, caplog, bad):
    broken = T_MAP_BASE.copy()
    broken[0, 3] = bad
    zero = stamped(T_MAP_BASE, 4)
    zero.pose.orientation.x = zero.pose.orientation.y = 0.0
    zero.pose.orientation.z = zero.pose.orientation.w = 0.0
    good = [stamped(T_MAP_BASE, second) for second in (1, 3, 5)]
    with BagReader(write(good[0], stamped(broken, 2), good[1], zero, good[2])) as bag:
        poses = read_poses(bag, "/pose", "camera")
    assert poses.stamps.tolist() == [10**9, 3 * 10**9, 5 * 10**9]
    assert "2 of 5 poses are left out" in caplog.text
    assert "at 2.000000000 s" in caplog.text and "at 4.000000000 s" in caplog.text


def test_poses_that_are_mostly_bad_are_refused(write):
    broken = T_MAP_BASE.copy()
    broken[0, 3] = np.nan
    messages = [stamped(broken, 1), stamped(T_MAP_BASE, 2), stamped(broken, 3)]
    with (
        BagReader(write(*messages)) as bag,
        pytest.raises(InputError, match=r"at 1\.0+ s: .*\(2 of 3 poses are bad\)"),
    ):
        read_poses(bag, "/pose", "camera")
