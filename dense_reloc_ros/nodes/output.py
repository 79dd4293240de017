"""Publishes frames' results: transform, pose, result and debug image."""

from __future__ import annotations

from geometry_msgs.msg import PoseWithCovarianceStamped
from rclpy.lifecycle import LifecycleNode
from rclpy.qos import QoSProfile
from sensor_msgs.msg import Image

from dense_reloc_ros.msg import RelocResult
from dense_reloc_ros.nodes.conversions import image_to_message, time_message
from dense_reloc_ros.nodes.debug_image import draw_localization
from dense_reloc_ros.nodes.frame_result import FrameResult
from dense_reloc_ros.nodes.loop_closures import LoopClosures
from dense_reloc_ros.nodes.placement import Placement
from dense_reloc_ros.nodes.robot_frames import RobotFrames
from dense_reloc_ros.nodes.transforms import Heard

QOS = QoSProfile(depth=10)
DEBUG_QOS = QoSProfile(depth=1)


class Output:
    """The publishers of a configured node; `placement` has those that follow the belief."""

    def __init__(self, node: LifecycleNode, robot: RobotFrames, placement: Placement) -> None:
        self.placement = placement
        self.poses = 0
        """How many were published."""
        self._loop_closures = LoopClosures(node, robot)
        self._node = node
        self._pose = node.create_lifecycle_publisher(PoseWithCovarianceStamped, "~/pose", QOS)
        self._result = node.create_lifecycle_publisher(RelocResult, "~/result", QOS)
        self._debug_image = node.create_lifecycle_publisher(Image, "~/debug_image", DEBUG_QOS)

    def close(self) -> None:
        """Takes the publishers away."""
        for publisher in (self._pose, self._result, self._debug_image):
            self._node.destroy_lifecycle_publisher(publisher)
        self._loop_closures.close()
        self.placement.close()

    def forget(self, reason: str) -> None:
        """Ends what is said of the robot's place; frames of before get a result alone."""
        self.placement.forget(reason)
        self._loop_closures.forget()

    def hear(self, heard: Heard) -> None:
        """Publishes what has waited for what came on TF."""
        self.placement.hear(heard)
        self._loop_closures.hear()

    def publish(self, result: FrameResult) -> None:
        """Publishes a result, its message after pose and transform: who waits for it has them."""
        is_taken = self.placement.publish(result)
        if is_taken and result.message.base_frame_id:
            self._pose.publish(stamped_pose(result.message))
            self.poses += 1
        self._result.publish(result.message)
        if is_taken:
            self._loop_closures.publish(result)
        if self._debug_image.get_subscription_count() > 0:
            self._publish_debug_image(result)

    def _publish_debug_image(self, result: FrameResult) -> None:
        if result.image is None or result.camera is None:
            return
        scene_map = None if result.localizer is None else result.localizer.scene_map
        drawing = draw_localization(result.image, result.camera, result.localization, scene_map)
        message = image_to_message(drawing)
        message.header.stamp = time_message(result.header.stamp)
        message.header.frame_id = result.header.frame_id
        self._debug_image.publish(message)


def stamped_pose(result: RelocResult) -> PoseWithCovarianceStamped:
    """The pose of the base in a result."""
    return PoseWithCovarianceStamped(header=result.header, pose=result.pose)
