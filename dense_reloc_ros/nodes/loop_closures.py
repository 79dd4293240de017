"""Publishes what a localized frame says about the odometry: a constraint for a SLAM."""

from __future__ import annotations

from collections import deque
from threading import Lock

import numpy as np
from geometry_msgs.msg import PoseWithCovariance
from rclpy.lifecycle import LifecycleNode
from rclpy.qos import QoSProfile

from dense_reloc_ros.geometry.arrays import FloatArray
from dense_reloc_ros.geometry.se3 import inverse, shifted
from dense_reloc_ros.loop_closure.constraint import (
    MapConstraint,
    information_of,
    nearest_keyframe,
    seen_from,
)
from dense_reloc_ros.msg import LoopClosure
from dense_reloc_ros.nodes.conversions import nanoseconds, pose_from_message, pose_to_message
from dense_reloc_ros.nodes.frame_result import FrameResult
from dense_reloc_ros.nodes.robot_frames import RobotFrames

QOS = QoSProfile(depth=100)
"""A SLAM may be busy; no constraint is to be lost."""
WAITING = 100
"""Frames that wait for odometry at most."""


class LoopClosures:
    """The publisher of ~/loop_closure; it works only while somebody subscribes.

    Results come from one thread, odometry from another; neither waits.
    """

    def __init__(self, node: LifecycleNode, robot: RobotFrames) -> None:
        self._node = node
        self._robot = robot
        self._lock = Lock()
        self._early: deque[FrameResult] = deque(maxlen=WAITING)
        """Frames with a pose that came before the odometry of their time."""
        self._publisher = node.create_lifecycle_publisher(LoopClosure, "~/loop_closure", QOS)

    def close(self) -> None:
        """Takes the publisher away."""
        self.forget()
        self._node.destroy_lifecycle_publisher(self._publisher)

    def forget(self) -> None:
        """Says no more of frames that still wait for their odometry."""
        with self._lock:
            self._early.clear()

    def publish(self, result: FrameResult) -> None:
        """Publishes the constraint of a frame with a pose, as soon as its odometry is known."""
        if (
            result.message.base_frame_id
            and self._robot.settings.odom_frame
            and self._publisher.get_subscription_count()
        ):
            with self._lock:
                self._early.append(result)
                self._publish_known()

    def hear(self) -> None:
        """Publishes what has waited for odometry that has come."""
        with self._lock:
            self._publish_known()

    def _publish_known(self) -> None:
        """In the order of the frames; those whose odometry does not come in time are left out."""
        while self._early:
            result = self._early[0]
            T_odom_camera = self._robot.camera_in_odometry_by_now(result.header)
            if T_odom_camera is None and self._robot.time_left(result.header):
                return
            self._early.popleft()
            if T_odom_camera is not None:
                T_odom_base = T_odom_camera @ inverse(mount_of(result))
                frame = self._robot.settings.odom_frame
                self._publisher.publish(loop_closure_message(result, T_odom_base, frame))


def mount_of(result: FrameResult) -> FloatArray:
    """T_base_camera (4, 4) of a frame with a published pose."""
    message = result.message
    T_map_base = pose_from_message(message.pose.pose)
    return inverse(T_map_base) @ pose_from_message(message.camera_pose.pose)


def loop_closure_message(
    result: FrameResult, T_odom_base: FloatArray, odom_frame: str
) -> LoopClosure:
    """The constraint of a frame with a published pose, by the odometry at its time."""
    said = result.message
    message = LoopClosure(
        header=said.header,
        odom_frame_id=odom_frame,
        base_frame_id=said.base_frame_id,
        camera_frame_id=said.camera_frame_id,
        odometry=pose_to_message(T_odom_base, np.zeros((6, 6))).pose,
        mount=pose_to_message(mount_of(result), np.zeros((6, 6))).pose,
        pose=said.pose,
        information=information_of(covariance_of(said.pose)).reshape(36),
        keyframe=-1,
        confidence=said.confidence,
        consistent=True,
        map_revision=said.map_revision,
    )
    _add_keyframe(message, result)
    return message


def constraint_of(message: LoopClosure) -> MapConstraint:
    """The constraint that a message holds."""
    return MapConstraint(
        nanoseconds(message.header.stamp),
        pose_from_message(message.pose.pose),
        covariance_of(message.pose),
        message.confidence,
    )


def covariance_of(pose: PoseWithCovariance) -> FloatArray:
    """(6, 6), in the order of ROS."""
    return np.asarray(pose.covariance, dtype=np.float64).reshape(6, 6)


def _add_keyframe(message: LoopClosure, result: FrameResult) -> None:
    if result.localizer is None:
        return
    scene_map = result.localizer.scene_map
    poses = shifted(scene_map.keyframe_poses.numpy(), scene_map.origin)
    T_map_camera = pose_from_message(result.message.camera_pose.pose)
    keyframe = nearest_keyframe(list(result.message.keyframes), poses, T_map_camera)
    if keyframe is None:
        return
    T_map_base = pose_from_message(message.pose.pose)
    seen = seen_from(poses[keyframe], T_map_base, covariance_of(message.pose))
    message.keyframe = keyframe
    message.keyframe_name = scene_map.information.keyframe_names[keyframe]
    message.keyframe_pose = pose_to_message(poses[keyframe], np.zeros((6, 6))).pose
    message.pose_in_keyframe = pose_to_message(*seen)
    message.information_in_keyframe = information_of(seen.covariance).reshape(36)
