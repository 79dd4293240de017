"""Publishes where the robot is believed to be between images, with what its odometry may drift."""

from __future__ import annotations

from geometry_msgs.msg import PoseWithCovarianceStamped
from rclpy.lifecycle import LifecycleNode
from rclpy.qos import QoSProfile

from dense_reloc_ros.geometry.base_pose import base_pose
from dense_reloc_ros.geometry.planar import on_floor
from dense_reloc_ros.nodes.conversions import pose_to_message, time_message
from dense_reloc_ros.nodes.robot_frames import FrameHeader, RobotFrames
from dense_reloc_ros.temporal.filter_state import FilterState

QOS = QoSProfile(depth=10)


class PredictedPosePublisher:
    """The publisher of ~/predicted_pose; it works only while somebody subscribes."""

    def __init__(self, node: LifecycleNode, robot: RobotFrames) -> None:
        self._node = node
        self._robot = robot
        self._publisher = node.create_lifecycle_publisher(
            PoseWithCovarianceStamped, "~/predicted_pose", QOS
        )

    def close(self) -> None:
        """Takes the publisher away."""
        self._node.destroy_lifecycle_publisher(self._publisher)

    @property
    def is_wanted(self) -> bool:
        """Whether somebody subscribes."""
        return bool(self._publisher.get_subscription_count())

    def publish(self, header: FrameHeader, map_frame: str, expected: FilterState) -> None:
        """Publishes the pose of the base at the time of odometry, by that of the camera."""
        if not self.is_wanted:
            return
        T_camera_base = self._robot.base_in_camera_by_now(header)
        if T_camera_base is None:
            return
        base = base_pose(expected.T_map_body, expected.pose_covariance, T_camera_base)
        if (settings := self._robot.settings).planar:
            standing = on_floor(*base, settings.floor.floor)
            base = standing.T_map_base, standing.covariance
        message = PoseWithCovarianceStamped(pose=pose_to_message(*base))
        message.header.stamp = time_message(header.stamp)
        message.header.frame_id = map_frame
        self._publisher.publish(message)
