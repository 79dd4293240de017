"""The transform that a localizer owns on TF: from the map to the odometry, or to the robot."""

from __future__ import annotations

from threading import Lock

from rclpy.node import Node

from dense_reloc_ros.geometry.arrays import FloatArray
from dense_reloc_ros.geometry.se3 import inverse
from dense_reloc_ros.nodes.frame_result import FrameResult
from dense_reloc_ros.nodes.robot_frames import RobotFrames
from dense_reloc_ros.nodes.transforms import TransformPublisher


class MapTransform:
    """Publishes it (REP 105); `publish` and `repeat` may be called from different threads."""

    def __init__(self, node: Node, robot: RobotFrames) -> None:
        self.published = 0
        """How often the transform was."""
        self._robot = robot
        self._publisher = TransformPublisher(node)
        self._lock = Lock()
        self._map_frame = self._revision = ""
        self._T_map_odom: FloatArray | None = None
        self._image_stamp = 0
        self._last_date = 0

    def close(self) -> None:
        """Takes the publisher away."""
        self._publisher.close()

    def publish(self, result: FrameResult) -> None:
        """Publishes map -> odom by the odometry at the image's time.

        Where a frame gives no pose the odometry still holds: its last place in the map is said
        again, as AMCL does. Without odometry, the base or the camera itself is placed in the map.
        """
        settings, header = self._robot.settings, result.header
        child = settings.odom_frame or self._robot.base_frame(header)
        T_map_child = self._child_in_map(result)
        message = result.message
        with self._lock:
            if header.stamp < self._image_stamp:  # time was set back
                self._T_map_odom, self._last_date = None, 0
            if message.map_revision != self._revision:
                self._T_map_odom = None
            self._image_stamp, self._revision = header.stamp, message.map_revision
            self._map_frame = message.header.frame_id
            date = header.stamp + self._tolerance
            if settings.odom_frame:
                if T_map_child is not None:
                    self._T_map_odom = T_map_child
                T_map_child = self._T_map_odom
                # The odometry may be ahead: the correction counts from now on.
                date = max(date, self._last_date + 1)
            if T_map_child is not None:
                self._send(child, date, T_map_child)

    def repeat(self, stamp: int) -> None:
        """Publishes map -> odom again, for odometry of a time in nanoseconds."""
        with self._lock:
            date = stamp + self._tolerance
            if self._T_map_odom is not None and date > self._last_date:
                self._send(self._robot.settings.odom_frame, date, self._T_map_odom)

    @property
    def _tolerance(self) -> int:
        return int(1e9 * self._robot.settings.transform_tolerance)

    def _send(self, child: str, date: int, T_map_child: FloatArray) -> None:
        self._last_date = date
        self.published += 1
        self._publisher.publish(self._map_frame, child, date, T_map_child)

    def _child_in_map(self, result: FrameResult) -> FloatArray | None:
        """`T_map_odom`, or `T_map_base` without odometry, when the frame was taken, if known."""
        T_map_camera, header = result.localization.T_map_camera, result.header
        if T_map_camera is None:
            return None
        if not self._robot.settings.odom_frame:
            T_camera_base = self._robot.base_in_camera(header)
            return None if T_camera_base is None else T_map_camera @ T_camera_base
        T_odom_camera = self._robot.camera_in_odometry(header)
        return None if T_odom_camera is None else T_map_camera @ inverse(T_odom_camera)
