"""Constraints as RTAB-Map takes them: as detections of landmarks, or as links of its graph."""

from __future__ import annotations

import re

import numpy as np
from rtabmap_msgs.msg import LandmarkDetection, Link

from dense_reloc_ros.geometry.arrays import FloatArray
from dense_reloc_ros.geometry.se3 import inverse
from dense_reloc_ros.loop_closure.constraint import (
    RelativePose,
    information_of,
    inverted,
    seen_from,
)
from dense_reloc_ros.msg import LoopClosure
from dense_reloc_ros.nodes.conversions import (
    pose_from_message,
    pose_to_message,
    transform_to_message,
)
from dense_reloc_ros.nodes.loop_closures import covariance_of

GLOBAL_CLOSURE = 1
"""A type of link in RTAB-Map's Link.h."""


def landmark_detection(closure: LoopClosure, first_landmark: int) -> LandmarkDetection:
    """The nearest keyframe as a landmark that was seen from the robot's base."""
    in_keyframe = closure.pose_in_keyframe
    keyframe = inverted(
        RelativePose(pose_from_message(in_keyframe.pose), covariance_of(in_keyframe))
    )
    detection = LandmarkDetection(
        landmark_frame_id=f"keyframe_{closure.keyframe}",
        id=first_landmark + closure.keyframe,
        pose=pose_to_message(*keyframe),
    )
    detection.header.stamp = closure.header.stamp
    detection.header.frame_id = closure.base_frame_id
    return detection


def link_to_keyframe(closure: LoopClosure, from_id: int, to_id: int) -> Link:
    """A link from the node of the image to that of its nearest keyframe.

    Nodes are places of the robot's base: the keyframe's camera is taken to have been mounted on it
    as it is now.
    """
    T_map_keyframe = pose_from_message(closure.keyframe_pose)
    T_map_node = T_map_keyframe @ inverse(pose_from_message(closure.mount))
    T_map_base = pose_from_message(closure.pose.pose)
    node = inverted(seen_from(T_map_node, T_map_base, covariance_of(closure.pose)))
    return Link(
        from_id=from_id,
        to_id=to_id,
        type=GLOBAL_CLOSURE,
        transform=transform_to_message(node.pose),
        information=_positive(information_of(node.covariance)).reshape(36),
    )


def node_of_keyframe(name: str) -> int | None:
    """The id of RTAB-Map's node that a keyframe was made of: the last number in its name."""
    numbers = re.findall(r"\d+", name)
    return int(numbers[-1]) if numbers and int(numbers[-1]) > 0 else None


def _positive(information: FloatArray) -> FloatArray:
    """Symmetric to the last digit, as RTAB-Map checks."""
    return np.asarray((information + information.T) / 2)
