"""A bag of a robot that drives a curve, whose camera sits on a tilting head."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore
from scipy.spatial.transform import Rotation

from dense_reloc_ros.geometry.se3 import rigid

TYPES = get_typestore(Stores.ROS2_JAZZY)
SECOND = 10**9
T_HEAD_CAMERA = rigid(
    Rotation.from_euler("xyz", [-90, 0, -90], degrees=True).as_matrix(), [0.1, 0, 0]
)


def odom_in_map(time: float) -> np.ndarray:
    """Drifts slowly."""
    turn = Rotation.from_euler("z", 0.02 * time).as_matrix()
    return rigid(turn, np.array([0.3 * time, 5.0, 0.0]))


def base_in_odom(time: float) -> np.ndarray:
    """0.5 m/s along a circle."""
    turn = Rotation.from_euler("z", 0.25 * time).as_matrix()
    return rigid(turn, np.array([2 * np.sin(0.25 * time), 2 - 2 * np.cos(0.25 * time), 0.0]))


def head_in_base(time: float) -> np.ndarray:
    turn = Rotation.from_euler("y", 0.3 * np.sin(time)).as_matrix()
    return rigid(turn, np.array([0.2, 0.0, 1.2]))


def base_in_map(time: float) -> np.ndarray:
    return odom_in_map(time) @ base_in_odom(time)


def camera_in_map(time: float) -> np.ndarray:
    return base_in_map(time) @ head_in_base(time) @ T_HEAD_CAMERA


def make(type_name: str, *fields: Any) -> Any:
    return TYPES.types[type_name](*fields)


def header(time: float, frame: str) -> Any:
    seconds, nanoseconds = divmod(round(time * SECOND), SECOND)
    stamp = make("builtin_interfaces/msg/Time", seconds, nanoseconds)
    return make("std_msgs/msg/Header", stamp, frame)


def _quaternion(matrix: np.ndarray) -> Any:
    values = Rotation.from_matrix(matrix[:3, :3]).as_quat()
    return make("geometry_msgs/msg/Quaternion", *values.tolist())


def transform(time: float, parent: str, child: str, matrix: np.ndarray) -> Any:
    vector = make("geometry_msgs/msg/Vector3", *matrix[:3, 3].tolist())
    content = make("geometry_msgs/msg/Transform", vector, _quaternion(matrix))
    stamped = make("geometry_msgs/msg/TransformStamped", header(time, parent), child, content)
    return make("tf2_msgs/msg/TFMessage", [stamped])


def pose(matrix: np.ndarray) -> Any:
    point = make("geometry_msgs/msg/Point", *matrix[:3, 3].tolist())
    return make("geometry_msgs/msg/Pose", point, _quaternion(matrix))


def pose_stamped(time: float, matrix: np.ndarray) -> Any:
    return make("geometry_msgs/msg/PoseStamped", header(time, "map"), pose(matrix))


def pose_with_covariance(time: float, matrix: np.ndarray) -> Any:
    content = make("geometry_msgs/msg/PoseWithCovariance", pose(matrix), np.zeros(36))
    return make("geometry_msgs/msg/PoseWithCovarianceStamped", header(time, "map"), content)


def odometry(time: float, matrix: np.ndarray) -> Any:
    zero = make("geometry_msgs/msg/Vector3", 0.0, 0.0, 0.0)
    speed = make("geometry_msgs/msg/Twist", zero, zero)
    twist = make("geometry_msgs/msg/TwistWithCovariance", speed, np.zeros(36))
    content = make("geometry_msgs/msg/PoseWithCovariance", pose(matrix), np.zeros(36))
    return make("nav_msgs/msg/Odometry", header(time, "map"), "base_link", content, twist)


def write_robot_bag(
    path: Path, poses: Sequence[Any] = (), seconds: float = 4.0, with_map: bool = True
) -> Path:
    """Transforms at 20 Hz, map to odom at 10 Hz, and poses on /pose as they are given."""
    sent: list[tuple[float, str, Any]] = [
        (0.0, "/tf_static", transform(0.0, "head", "camera", T_HEAD_CAMERA))
    ]
    for time in np.arange(0.0, seconds, 0.05):
        sent.append((time, "/tf", transform(time, "odom", "base_link", base_in_odom(time))))
        sent.append((time, "/tf", transform(time, "base_link", "head", head_in_base(time))))
    for time in np.arange(0.0, seconds if with_map else 0.0, 0.1):
        sent.append((time, "/tf", transform(time, "map", "odom", odom_in_map(time))))
    sent += [(i * 1e-3, "/pose", message) for i, message in enumerate(poses)]
    connections: dict[str, Any] = {}
    with Writer(path, version=9, storage_plugin=StoragePlugin.MCAP) as writer:
        for time, topic, message in sorted(sent, key=lambda one: one[0]):
            kind = message.__msgtype__
            if topic not in connections:
                connections[topic] = writer.add_connection(topic, kind, typestore=TYPES)
            data = TYPES.serialize_cdr(message, kind)
            writer.write(connections[topic], round(time * SECOND), data)
    return path
