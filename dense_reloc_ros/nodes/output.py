"""Publishes answers: transform, pose, result and debug image."""

from __future__ import annotations

from geometry_msgs.msg import PoseWithCovarianceStamped
from rclpy.lifecycle import LifecycleNode
from rclpy.qos import QoSProfile
from sensor_msgs.msg import Image

from dense_reloc_ros.geometry.se3 import FloatArray
from dense_reloc_ros.msg import RelocResult
from dense_reloc_ros.nodes.conversions import image_to_message
from dense_reloc_ros.nodes.debug_image import draw_localization
from dense_reloc_ros.nodes.frame_localizer import Answer, FrameLocalizer
from dense_reloc_ros.nodes.reporting import ChangeReporter
from dense_reloc_ros.nodes.transform_buffer import TransformError
from dense_reloc_ros.nodes.transforms import TransformPublisher

QOS = QoSProfile(depth=10)
DEBUG_QOS = QoSProfile(depth=1)


class Output:
    """The publishers of a configured node."""

    def __init__(
        self, node: LifecycleNode, frames: FrameLocalizer, reporter: ChangeReporter
    ) -> None:
        self._node = node
        self._frames = frames
        self._reporter = reporter
        self._transform = TransformPublisher(node)
        self._T_map_odom: FloatArray | None = None
        self._T_map_odom_stamp = 0
        self._pose = node.create_lifecycle_publisher(PoseWithCovarianceStamped, "~/pose", QOS)
        self._result = node.create_lifecycle_publisher(RelocResult, "~/result", QOS)
        self._debug_image = node.create_lifecycle_publisher(Image, "~/debug_image", DEBUG_QOS)

    def close(self) -> None:
        """Takes the publishers away."""
        for publisher in (self._pose, self._result, self._debug_image):
            self._node.destroy_lifecycle_publisher(publisher)
        self._transform.close()

    def publish(self, answer: Answer) -> None:
        """Publishes an answer, the result last: who waits for it finds the rest already there."""
        if self._frames.settings.publish_tf:
            self._publish_transform(answer)
        if answer.result.base_frame_id:
            self._pose.publish(
                PoseWithCovarianceStamped(header=answer.result.header, pose=answer.result.pose)
            )
        self._result.publish(answer.result)
        if self._debug_image.get_subscription_count() > 0:
            self._publish_debug_image(answer)

    def _publish_transform(self, answer: Answer) -> None:
        """REP 105: map -> odom from the odometry at the image's time.

        Where a frame gives no pose the odometry still holds: its last place in the map is said
        again, as AMCL does. Without odometry, the base or the camera itself is placed in the map.
        """
        settings, stamp = self._frames.settings, answer.frame.stamp
        child = settings.odom_frame or self._frames.base_frame(answer.frame)
        T_map_child = self._child_in_map(answer, child)
        if T_map_child is not None and settings.odom_frame:
            self._T_map_odom, self._T_map_odom_stamp = T_map_child, stamp
        elif settings.odom_frame and stamp > self._T_map_odom_stamp:  # time may jump back
            T_map_child = self._T_map_odom
        if T_map_child is not None:
            tolerance = int(1e9 * settings.transform_tolerance)
            map_frame = answer.result.header.frame_id
            self._transform.publish(map_frame, child, stamp + tolerance, T_map_child)

    def _child_in_map(self, answer: Answer, child: str) -> FloatArray | None:
        """`T_map_child` (4, 4) when the frame was taken, None where it is not known."""
        T_map_camera = answer.localization.T_map_camera
        if T_map_camera is None:
            return None
        try:
            T_camera_child = self._frames.transform(answer.frame.frame_id, child, answer.frame)
        except TransformError as error:
            self._reporter.problem("transform of the map", str(error), state="unknown")
            return None
        self._reporter.resolved("transform of the map")
        return T_map_camera @ T_camera_child

    def _publish_debug_image(self, answer: Answer) -> None:
        if answer.image is None or answer.camera is None:
            return
        drawing = draw_localization(
            answer.image, answer.camera, answer.localization, answer.supporting_points
        )
        message = image_to_message(drawing)
        message.header = answer.frame.image.header
        self._debug_image.publish(message)
