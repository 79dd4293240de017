"""The transform that a localizer owns on TF: from the map to the odometry, or to the robot."""

from __future__ import annotations

from rclpy.node import Node

from dense_reloc_ros.geometry.arrays import FloatArray
from dense_reloc_ros.nodes.robot_frames import RobotFrames
from dense_reloc_ros.nodes.transform_buffer import interpolate
from dense_reloc_ros.nodes.transforms import TransformPublisher
from dense_reloc_ros.stamps import NANOSECONDS


class MapTransform:
    """Publishes it (REP 105) as long as `publish_tf` is set. Not for several threads at once.

    Where a frame gives no pose the odometry still holds: its last place in the map is said again,
    as AMCL does. Without odometry, the base or the camera itself is placed in the map.
    """

    def __init__(self, node: Node, robot: RobotFrames) -> None:
        self.published = 0
        """How often the transform was."""
        self.map_frame = ""
        self._robot = robot
        self._publisher = TransformPublisher(node)
        self._T_map_odom: FloatArray | None = None
        self._before: tuple[int, FloatArray] | None = None
        """The last that was said before a correction, and its date."""
        self._said: FloatArray | None = None
        self._last_date = 0

    def close(self) -> None:
        """Takes the publisher away."""
        self._publisher.close()

    def forget(self) -> None:
        """Says no more of where the odometry is in the map."""
        self._T_map_odom = self._said = self._before = None

    def begin_anew(self) -> None:
        """As `forget`, and dates may be earlier than before: time was set back."""
        self.forget()
        self._last_date = 0

    def place(self, T_map_odom: FloatArray, *, at_once: bool) -> None:
        """Where the odometry is from now on, (4, 4), or else when `smoothing` is over."""
        self._before = None
        if self._said is not None and not at_once and self._robot.settings.smoothing:
            self._before = self._last_date, self._said
        self._T_map_odom = T_map_odom

    def place_robot(self, frame: str, image_stamp: int, T_map_frame: FloatArray) -> None:
        """Publishes where the robot is (4, 4), without odometry."""
        self._send(frame, image_stamp + self._tolerance, T_map_frame)

    def correct(self, image_stamp: int) -> None:
        """Says where the odometry is by what is known now, as an image of that time asks for."""
        if self._T_map_odom is not None:
            # The odometry may be ahead: the correction counts from now on.
            date = max(image_stamp + self._tolerance, self._last_date + 1)
            self._say_odometry(date, self._T_map_odom)

    def repeat(self, odometry_stamp: int) -> None:
        """Says it again with odometry of a later time."""
        date = odometry_stamp + self._tolerance
        if self._T_map_odom is not None and date > self._last_date:
            self._say_odometry(date, self._T_map_odom)

    def _say_odometry(self, date: int, T_map_odom: FloatArray) -> None:
        if self._before is not None:
            since, before = self._before
            whole = max(1.0, self._robot.settings.smoothing * NANOSECONDS)
            T_map_odom = interpolate(before, T_map_odom, min(1.0, (date - since) / whole))
        self._said = T_map_odom
        self._send(self._robot.settings.odom_frame, date, T_map_odom)

    @property
    def _tolerance(self) -> int:
        return int(1e9 * self._robot.settings.transform_tolerance)

    def _send(self, child: str, date: int, T_map_child: FloatArray) -> None:
        if not self._robot.settings.publish_tf:
            return
        self._last_date = date
        self.published += 1
        self._robot.say(self.map_frame, child, date)
        self._publisher.publish(self.map_frame, child, date, T_map_child)
