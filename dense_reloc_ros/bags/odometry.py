"""The odometry in bags: how the camera moved since the start, by the transforms on /tf."""

from __future__ import annotations

import logging
from functools import partial

from dense_reloc_ros.bags.bag_reader import BagReader, stamp_of
from dense_reloc_ros.bags.cameras import find_image_topic
from dense_reloc_ros.bags.recorded_poses import TF_TYPE, pose_of, static_transform
from dense_reloc_ros.bags.topics import ODOMETRY_FRAME, TF_TOPIC
from dense_reloc_ros.errors import InputError
from dense_reloc_ros.geometry.arrays import FloatArray
from dense_reloc_ros.geometry.trajectory import Trajectory, format_stamp
from dense_reloc_ros.sieve import Sieve
from dense_reloc_ros.stamps import stamp_or

logger = logging.getLogger(__name__)


def read_odometry(bag: BagReader, image_topic: str | None = None) -> Trajectory | None:
    """T_odom_camera of the camera behind an image topic (None: the only one).

    It is what /tf says of a child of the frame odom, brought to the camera through /tf_static. None
    where there is no odometry, or none that can be used; that is logged.

    Raises:
        InputError: several cameras and no topic to choose one by.
    """
    if bag.topics.get(TF_TOPIC) != TF_TYPE:
        return None
    topic = find_image_topic(bag) if image_topic is None else image_topic
    camera_frame = bag.first(topic).header.frame_id
    try:
        poses = _poses(bag, camera_frame)
    except InputError as error:
        logger.warning("the odometry in the bag is not used: %s", error)
        return None
    return Trajectory.from_poses(list(poses), list(poses.values())) if poses else None


def _poses(bag: BagReader, camera_frame: str) -> dict[int, FloatArray]:
    poses: dict[int, FloatArray] = {}
    mounts: dict[str, FloatArray] = {}
    sieve = Sieve(f"{bag.path}: {TF_TOPIC}")
    for message, decoded in bag.decoded([TF_TOPIC]):
        for transform in decoded.transforms:
            if transform.header.frame_id.lstrip("/") != ODOMETRY_FRAME:
                continue
            body = transform.child_frame_id
            if body not in mounts:
                mounts[body] = static_transform(bag, body, camera_frame)
            stamp = stamp_or(stamp_of(transform), message.time)
            pose = sieve.take(f"at {format_stamp(stamp)} s", partial(pose_of, transform))
            if pose is not None:
                poses[stamp] = pose @ mounts[body]
    sieve.close()
    return poses
