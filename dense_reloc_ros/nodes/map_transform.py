"""The transform that a localizer owns on TF: from the map to the odometry, or to the robot."""

from __future__ import annotations

from collections import deque
from threading import Lock

from rclpy.node import Node

from dense_reloc_ros.geometry.arrays import FloatArray
from dense_reloc_ros.geometry.se3 import inverse
from dense_reloc_ros.nodes.conversions import pose_from_message
from dense_reloc_ros.nodes.frame_result import FrameResult
from dense_reloc_ros.nodes.robot_frames import FrameHeader, RobotFrames
from dense_reloc_ros.nodes.transforms import Heard, TransformPublisher


class MapTransform:
    """Publishes it (REP 105). Results come from one thread, odometry from another; none waits.

    Where a frame gives no pose the odometry still holds: its last place in the map is said again,
    as AMCL does. Without odometry, the base or the camera itself is placed in the map.
    """

    def __init__(self, node: Node, robot: RobotFrames, *, with_odometry: bool) -> None:
        """`with_odometry`: says it again with all odometry that comes, not only with images."""
        self.published = 0
        """How often the transform was."""
        self._robot = robot
        self._with_odometry = with_odometry
        self._publisher = TransformPublisher(node)
        self._lock = Lock()
        self._early: deque[tuple[FrameHeader, FloatArray]] = deque()
        """Images and their `T_map_camera` that came before the odometry of their time."""
        self._map_frame = self._revision = ""
        self._T_map_odom: FloatArray | None = None
        self._image_stamp = 0
        self._last_date = 0

    def close(self) -> None:
        """Takes the publisher away."""
        self._publisher.close()

    def forget(self) -> None:
        """Says no more of where the odometry is in the map that was used until now."""
        with self._lock:
            self._T_map_odom = None
            self._early.clear()

    def publish(self, result: FrameResult) -> None:
        """Publishes map -> odom by the odometry at the image's time, as soon as that is known."""
        settings, header, message = self._robot.settings, result.header, result.message
        with self._lock:
            if header.stamp < self._image_stamp:  # time was set back
                self._T_map_odom, self._last_date = None, 0
                self._early.clear()
            if message.map_revision != self._revision:
                self._T_map_odom = None
                self._early.clear()
            self._image_stamp, self._revision = header.stamp, message.map_revision
            self._map_frame = message.header.frame_id
            if not settings.odom_frame:
                if message.base_frame_id:
                    T_map_base = pose_from_message(message.pose.pose)
                    self._send(message.base_frame_id, header.stamp + self._tolerance, T_map_base)
            elif (T_map_camera := result.localization.T_map_camera) is not None:
                self._early.append((header, T_map_camera))
                self._place_odometry()
            else:
                self._correct(header.stamp)

    def hear(self, heard: Heard) -> None:
        """Publishes what has waited for odometry, and what is to be said again with it."""
        with self._lock:
            if self._early and (heard or not self._robot.time_left(self._early[0][0])):
                self._place_odometry()
            stamp = heard.get(self._robot.settings.odom_frame)
            if self._with_odometry and stamp is not None and self._T_map_odom is not None:
                date = stamp + self._tolerance
                if date > self._last_date:
                    self._send(self._robot.settings.odom_frame, date, self._T_map_odom)

    def _place_odometry(self) -> None:
        """Publishes for the poses whose odometry is known, or will not come any more."""
        while self._early:
            header, T_map_camera = self._early[0]
            T_odom_camera = self._robot.camera_in_odometry_by_now(header)
            if T_odom_camera is not None:
                self._T_map_odom = T_map_camera @ inverse(T_odom_camera)
            elif self._robot.time_left(header):
                return
            self._early.popleft()
            self._correct(header.stamp)

    def _correct(self, image_stamp: int) -> None:
        """Says where the odometry is by what is known now, as an image of that time asks for."""
        if self._T_map_odom is not None:
            # The odometry may be ahead: the correction counts from now on.
            date = max(image_stamp + self._tolerance, self._last_date + 1)
            self._send(self._robot.settings.odom_frame, date, self._T_map_odom)

    @property
    def _tolerance(self) -> int:
        return int(1e9 * self._robot.settings.transform_tolerance)

    def _send(self, child: str, date: int, T_map_child: FloatArray) -> None:
        self._last_date = date
        self.published += 1
        self._robot.say(self._map_frame, child, date)
        self._publisher.publish(self._map_frame, child, date, T_map_child)
