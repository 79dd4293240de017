"""Poses and static transforms in bags."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from dense_reloc_ros.bags.bag_reader import BagReader, stamp_of
from dense_reloc_ros.bags.topics import TF_STATIC_TOPIC
from dense_reloc_ros.errors import InputError
from dense_reloc_ros.geometry.arrays import FloatArray
from dense_reloc_ros.geometry.se3 import from_quaternion, inverse
from dense_reloc_ros.geometry.trajectory import Trajectory, format_stamp
from dense_reloc_ros.sieve import Sieve
from dense_reloc_ros.stamps import stamp_or

POSE_TYPES = (
    "geometry_msgs/msg/PoseStamped",
    "geometry_msgs/msg/PoseWithCovarianceStamped",
    "geometry_msgs/msg/TransformStamped",
    "nav_msgs/msg/Odometry",
)
TF_TYPE = "tf2_msgs/msg/TFMessage"


@dataclass(frozen=True)
class BodyPoses:
    """Poses on a topic as they are, of whatever body they are."""

    trajectory: Trajectory
    map_frame: str
    """What they are in."""
    body: str | None
    """What the messages name; None where they name nothing."""
    has_covariance: bool


def read_body_poses(bag: BagReader, topic: str) -> BodyPoses:
    """The poses on a topic; those that are not finite are left out with a warning.

    Raises:
        InputError: a missing topic, one without poses, or most of which cannot be used.
    """
    type_name = bag.require(topic, POSE_TYPES)
    poses: dict[int, FloatArray] = {}
    frames, bodies = [], []
    sieve = Sieve(f"{bag.path}: {topic}")
    for message, decoded in bag.decoded([topic]):
        stamp = stamp_or(stamp_of(decoded), message.time)
        where = f"{bag.path}: {topic}: at {format_stamp(stamp)} s"
        pose = sieve.take(where, partial(pose_of, decoded))
        if pose is None:
            continue
        frames.append(decoded.header.frame_id)
        bodies.append(getattr(decoded, "child_frame_id", "") or None)
        # Recordings repeat messages now and then; the last one holds.
        poses[stamp] = pose
    sieve.close()
    return BodyPoses(
        Trajectory.from_poses(list(poses), list(poses.values())),
        frames[-1],
        bodies[-1],
        type_name == "geometry_msgs/msg/PoseWithCovarianceStamped",
    )


def static_transform(bag: BagReader, parent: str, child: str) -> FloatArray:
    """The transform T_parent_child (4, 4) along the static transforms of the bag.

    Raises:
        InputError: frames that no chain of static transforms connects; names those there are.
    """
    edges: dict[str, dict[str, FloatArray]] = {}
    sieve = Sieve(f"{bag.path}: {TF_STATIC_TOPIC}")
    if bag.topics.get(TF_STATIC_TOPIC) == TF_TYPE:
        for _, decoded in bag.decoded([TF_STATIC_TOPIC]):
            for transform in decoded.transforms:
                pair = transform.header.frame_id.lstrip("/"), transform.child_frame_id.lstrip("/")
                T_a_b = sieve.take(f"'{pair[0]}' to '{pair[1]}'", partial(pose_of, transform))
                if T_a_b is None:
                    continue
                edges.setdefault(pair[0], {})[pair[1]] = T_a_b
                edges.setdefault(pair[1], {})[pair[0]] = inverse(T_a_b)
    sieve.close()
    found = {parent.lstrip("/"): np.eye(4)}
    queue = deque(found)
    while queue:
        frame = queue.popleft()
        for neighbour, T_frame_neighbour in edges.get(frame, {}).items():
            if neighbour not in found:
                found[neighbour] = found[frame] @ T_frame_neighbour
                queue.append(neighbour)
    if child.lstrip("/") not in found:
        raise InputError(
            f"{bag.path}: no static transforms lead from frame '{parent}' to '{child}' "
            f"({TF_STATIC_TOPIC} has: {', '.join(sorted(edges)) or 'none'})"
        )
    return found[child.lstrip("/")]


def pose_of(decoded: Any) -> FloatArray:
    """The (4, 4) matrix in any message with a pose or a transform."""
    if hasattr(decoded, "transform"):
        position, rotation = decoded.transform.translation, decoded.transform.rotation
    else:
        # The pose with a covariance holds the pose once more.
        pose = getattr(decoded.pose, "pose", decoded.pose)
        position, rotation = pose.position, pose.orientation
    return from_quaternion(
        np.array([position.x, position.y, position.z]),
        np.array([rotation.x, rotation.y, rotation.z, rotation.w]),
    )
