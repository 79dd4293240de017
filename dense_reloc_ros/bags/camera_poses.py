"""Where the camera of a bag was: by a topic of poses, of whatever body, or by its transforms."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from dense_reloc_ros.bags.bag_reader import BagReader
from dense_reloc_ros.bags.recorded_poses import BodyPoses, read_body_poses
from dense_reloc_ros.bags.transform_tree import TransformTree
from dense_reloc_ros.errors import InputError
from dense_reloc_ros.geometry.arrays import FloatArray
from dense_reloc_ros.geometry.se3 import pose_error
from dense_reloc_ros.stamps import NANOSECONDS

logger = logging.getLogger(__name__)

DEFAULT_GAP = NANOSECONDS // 4
"""Nanoseconds that may lie between the poses before and after an image (0.25 s)."""
SAME_TRANSLATION, SAME_ROTATION = 0.05, np.deg2rad(2.0)
"""Metres and radians that poses on a topic and on /tf of the same body are apart at most."""
COMPARED = 50
"""Poses, evenly spaced, that are compared with /tf."""

PoseAt = Callable[[int], "FloatArray | None"]


@dataclass(frozen=True)
class PoseSource:
    """Where the poses of a bag's camera come from."""

    topic: str | None
    """Poses in the map frame; None: the transforms."""
    map_frame: str = "map"
    """What the poses are in, where they come from the transforms."""
    pose_frame: str | None = None
    """The body whose poses are on the topic; None: what messages and transforms say."""
    largest_gap: int = DEFAULT_GAP
    """Nanoseconds that may lie between the poses before and after an image."""

    @property
    def name(self) -> str:
        """For messages."""
        return self.topic or f"/tf (from '{self.map_frame}')"


def camera_poses(bag: BagReader, source: PoseSource, camera_frame: str) -> PoseAt:
    """Gives T_map_camera (4, 4) of a frame at any time in nanoseconds, None where it is unknown.

    Poses are interpolated. Those of another body are brought to the camera by the transforms of
    the same time.

    Raises:
        InputError: a topic or frames that are not there, or poses that cannot be used.
    """
    tree = TransformTree(bag)
    gap = source.largest_gap
    if source.topic is None:
        tree.require(source.map_frame, camera_frame)
        return lambda stamp: tree.at(source.map_frame, camera_frame, stamp, gap)
    poses = read_body_poses(bag, source.topic)
    body = source.pose_frame or poses.body or _body_by_transforms(poses, tree, camera_frame)
    if body is None or body.lstrip("/") == camera_frame.lstrip("/"):
        return lambda stamp: poses.trajectory.between(stamp, gap)
    tree.require(body, camera_frame)
    logger.info("the poses on %s are those of '%s'", source.topic, body)

    def at(stamp: int) -> FloatArray | None:
        T_map_body = poses.trajectory.between(stamp, gap)
        T_body_camera = tree.at(body, camera_frame, stamp, gap)
        if T_map_body is None or T_body_camera is None:
            return None
        return T_map_body @ T_body_camera

    return at


def _body_by_transforms(poses: BodyPoses, tree: TransformTree, camera_frame: str) -> str | None:
    """The body of poses whose messages name none; None for the camera.

    It is the one that moves in the same way by the transforms. Where these do not tell, poses with
    a covariance are those of the robot, as localization and SLAM of ROS publish them.
    """
    frames = [camera_frame.lstrip("/"), *tree.bodies_of(camera_frame)]
    errors = {frame: _difference(poses, tree, frame) for frame in frames}
    known = {frame: error for frame, error in errors.items() if error is not None}
    if known:
        best = min(known, key=lambda frame: known[frame])
        if known[best] <= 1.0:
            return best
    return tree.base_of(camera_frame) if poses.has_covariance else None


def _difference(poses: BodyPoses, tree: TransformTree, frame: str) -> float | None:
    """Median difference of poses and the transforms of a frame, 1 at the most that is the same."""
    trajectory, differences = poses.trajectory, []
    for index in np.linspace(0, len(trajectory) - 1, min(len(trajectory), COMPARED)).astype(int):
        try:
            found = tree.at(poses.map_frame, frame, int(trajectory.stamps[index]), DEFAULT_GAP)
        except InputError:
            return None
        if found is not None:
            error = pose_error(found, trajectory.poses[index])
            differences.append(
                max(error.translation / SAME_TRANSLATION, error.rotation / SAME_ROTATION)
            )
    return float(np.median(differences)) if differences else None
