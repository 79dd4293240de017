"""Where somebody said that the robot is, carried on to the images by odometry."""

from __future__ import annotations

from dataclasses import dataclass
from threading import Lock

import numpy as np
from geometry_msgs.msg import PoseWithCovarianceStamped
from rclpy.impl.rcutils_logger import RcutilsLogger

from dense_reloc_ros.errors import InputError
from dense_reloc_ros.geometry.arrays import FloatArray
from dense_reloc_ros.geometry.base_pose import base_pose
from dense_reloc_ros.geometry.odometry_noise import OdometryNoise
from dense_reloc_ros.geometry.se3 import inverse, pose_error
from dense_reloc_ros.localization.pose_prior import PosePrior
from dense_reloc_ros.nodes.conversions import nanoseconds, pose_from_message, pose_to_message
from dense_reloc_ros.nodes.frame_result import FrameResult
from dense_reloc_ros.nodes.robot_frames import FrameHeader, RobotFrames

UNKNOWN_DEVIATIONS = np.array([10.0] * 3 + [np.pi] * 3)
"""Metres and radians, for variances of zero: RViz fills in those of x, y and yaw only."""
USUAL_DEVIATIONS = np.array([0.5, 0.5, 10.0, np.pi, np.pi, 0.26])
"""Of a pose that comes without any covariance: what RViz's tool says, and AMCL starts with."""
SPEEDS = np.array([1.0] * 3 + [1.0] * 3)
"""m/s and rad/s that a robot without odometry may have."""


@dataclass(frozen=True)
class _Place:
    """A pose of the robot's base at a time."""

    T_map_base: FloatArray
    covariance: FloatArray
    stamp: int
    T_odom_base: FloatArray | None
    """At that time; None where nothing is known of odometry."""


class InitialPose:
    """A pose that was given, and then the poses found where it had room for them.

    Until an image shows that the robot is elsewhere: then it is forgotten. Any thread may give one.
    """

    def __init__(self, robot: RobotFrames, logger: RcutilsLogger) -> None:
        self._robot = robot
        self._logger = logger
        self._lock = Lock()
        self._place: _Place | None = None

    def give(self, message: PoseWithCovarianceStamped, map_frame: str, now: int) -> None:
        """Begins with a pose of the base; `now` in nanoseconds stands for an unset stamp.

        Raises:
            InputError: a pose in another frame than the map's, or one that is none.
        """
        check_map_frame(message, map_frame)
        T_map_base, covariance = pose_from_message(message.pose.pose), given_covariance(message)
        if covariance is None:
            covariance = np.diag(USUAL_DEVIATIONS**2)
        PosePrior.checked(T_map_base, covariance, np.zeros(3))
        stamp = nanoseconds(message.header.stamp) or now
        T_odom_base = self._robot.base_in_odometry(stamp)
        with self._lock:
            self._place = _Place(T_map_base, covariance, stamp, T_odom_base)
        x, y, _ = T_map_base[:3, 3]
        self._logger.info(f"initial pose: looking for the robot around x {x:.2f}, y {y:.2f}")

    def forget(self) -> None:
        """Looks for the robot everywhere."""
        with self._lock:
            self._place = None

    def prior_for(self, header: FrameHeader, map_frame: str) -> PoseWithCovarianceStamped | None:
        """Where the base is thought to be when an image was taken; None where nobody said it."""
        with self._lock:
            place = self._place
        if place is None or self._robot.base_in_camera(header) is None:
            return None
        carried = self._carried(place, header)
        message = PoseWithCovarianceStamped()
        message.header.frame_id = map_frame
        message.pose = pose_to_message(carried.T_map_base, carried.covariance)
        return message

    def follow(self, result: FrameResult) -> None:
        """Goes on with the pose that was found of an image, or forgets what it contradicts."""
        with self._lock:
            place = self._place
        if place is None or not result.message.base_frame_id:
            return
        T_map_base = pose_from_message(result.message.pose.pose)
        covariance = np.asarray(result.message.pose.covariance).reshape(6, 6)
        carried = self._carried(place, result.header)
        prior = PosePrior.checked(carried.T_map_base, carried.covariance, np.zeros(3))
        found = None
        if prior.allows(T_map_base):
            found = _Place(T_map_base, covariance, result.header.stamp, carried.T_odom_base)
        with self._lock:
            if self._place is not place:
                return  # another one was given meanwhile
            self._place = found
        if found is None:
            self._logger.warning("initial pose: an image shows that the robot is elsewhere")

    def _carried(self, place: _Place, header: FrameHeader) -> _Place:
        """The place at the time of an image: moved on by odometry, or less and less certain."""
        T_odom_camera = self._robot.camera_in_odometry(header)
        T_camera_base = self._robot.base_in_camera(header)
        T_odom_base = None
        if T_odom_camera is not None and T_camera_base is not None:
            T_odom_base = T_odom_camera @ T_camera_base
        seconds = abs(header.stamp - place.stamp) * 1e-9
        if place.T_odom_base is None or T_odom_base is None:
            drift = np.diag((seconds * SPEEDS) ** 2)
            return _Place(place.T_map_base, place.covariance + drift, header.stamp, T_odom_base)
        motion = inverse(place.T_odom_base) @ T_odom_base
        way = pose_error(np.eye(4), motion)
        T_map_base, covariance = base_pose(place.T_map_base, place.covariance, motion)
        noise = OdometryNoise().covariances(
            np.array([way.translation]), np.array([way.rotation]), np.array([seconds])
        )[0]
        return _Place(T_map_base, covariance + noise, header.stamp, T_odom_base)


def check_map_frame(prior: PoseWithCovarianceStamped, map_frame: str) -> None:
    """Raises InputError where a pose is given in another frame than that of the map."""
    if prior.header.frame_id.lstrip("/") not in ("", map_frame.lstrip("/")):
        raise InputError(
            f"the prior pose is given in frame '{prior.header.frame_id}', "
            f"not in that of the map, '{map_frame}'"
        )


def given_covariance(prior: PoseWithCovarianceStamped) -> FloatArray | None:
    """The covariance (6, 6) in a message, variances of zero as unknown; None where all are zero."""
    covariance = np.array(prior.pose.covariance, dtype=np.float64).reshape(6, 6)
    if not covariance.any():
        return None
    is_unknown = np.diag(covariance) == 0
    return np.asarray(covariance + np.diag(np.where(is_unknown, UNKNOWN_DEVIATIONS**2, 0.0)))
