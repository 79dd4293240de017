"""The pose of a robot that stands on a floor: only x, y and yaw are its own."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.linalg import cho_factor, cho_solve
from scipy.spatial.transform import Rotation

from dense_reloc_ros.geometry.arrays import FloatArray
from dense_reloc_ros.geometry.se3 import rigid

FREE, HELD = [0, 1, 5], [2, 3, 4]
"""x, y, yaw and z, roll, pitch in the order of ROS."""
ITERATIONS = 20
CONVERGED = 1e-12
"""Metres and radians of a step."""


@dataclass(frozen=True)
class Floor:
    """The plane that a robot's base moves in: horizontal, as z of the map points up."""

    height: float = 0.0
    """z of the base in the map, metres."""
    deviation_m: float = 0.02
    """How far z may be off, by suspension and uneven floors: a standard deviation."""
    deviation_rad: float = 0.017
    """The same of roll and pitch."""

    @property
    def variances(self) -> FloatArray:
        """(3,) of z, roll and pitch."""
        return np.square([self.deviation_m, self.deviation_rad, self.deviation_rad])


@dataclass(frozen=True)
class PlanarPose:
    """The most probable pose on a floor."""

    T_map_base: FloatArray
    """(4, 4), with z, roll and pitch as the floor has them."""
    covariance: FloatArray
    """(6, 6) in ROS order: of x, y and yaw given the floor, and what the floor leaves of others."""
    distance: float
    """How far the measured pose is from the floor, a squared Mahalanobis distance in 3 degrees of
    freedom."""


def planar_pose(place: ArrayLike, height: float) -> FloatArray:
    """The pose (4, 4) at x, y and yaw (3,), metres and radians."""
    x, y, yaw = np.asarray(place, dtype=np.float64)
    return rigid(_turn(yaw), np.array([x, y, height]))


def heading(pose: FloatArray) -> float:
    """The yaw of the upright rotation that is nearest to that of a pose (4, 4), radians."""
    return float(np.arctan2(pose[1, 0] - pose[0, 1], pose[0, 0] + pose[1, 1]))


def upright_transform(T_map_base: FloatArray, T_odom_base: FloatArray) -> FloatArray:
    """`T_map_odom` (4, 4) without roll and pitch that has the base where the map has it.

    It also has the base's heading; roll and pitch of the odometry stay its own.
    """
    turn = _turn(heading(T_map_base) - heading(T_odom_base))
    return rigid(turn, T_map_base[:3, 3] - turn @ T_odom_base[:3, 3])


def on_floor(T_map_base: FloatArray, covariance: FloatArray, floor: Floor) -> PlanarPose:
    """A measured pose (4, 4) with covariance (6, 6), given that the base stands on a floor.

    The error e(x, y, yaw) of a pose on the floor is what moves it onto the measured one, along and
    about the axes of the map: a Gaussian with the measured covariance plus the floor's deviations.
    Its maximum is found by Gauss-Newton; for a measured pose that is nearly upright that is the
    conditional of a Gaussian, x - S_ab S_bb^-1 b with the covariance S_aa - S_ab S_bb^-1 S_ba (a:
    x, y and yaw; b: z, roll and pitch, off the floor), and it stays exact for large tilts.
    """
    spread = np.array(covariance, dtype=np.float64)
    spread[HELD, HELD] += floor.variances
    factor = cho_factor(spread)
    x, y, _ = T_map_base[:3, 3]
    free = np.array([x, y, heading(T_map_base)])
    for _ in range(ITERATIONS):
        error, slope = _error(T_map_base, free, floor.height)
        weighted = cho_solve(factor, slope)
        step = -np.linalg.solve(slope.T @ weighted, weighted.T @ error)
        free = free + step
        if np.abs(step).max() < CONVERGED:
            break
    error, slope = _error(T_map_base, free, floor.height)
    result = np.zeros((6, 6))
    result[np.ix_(FREE, FREE)] = np.linalg.inv(slope.T @ cho_solve(factor, slope))
    result[HELD, HELD] = floor.variances
    distance = float(error @ cho_solve(factor, error))
    return PlanarPose(planar_pose(free, floor.height), (result + result.T) / 2, distance)


def _turn(yaw: float) -> FloatArray:
    """About the vertical (3, 3); exactly so, which a quaternion rounds."""
    cosine, sine = np.cos(yaw), np.sin(yaw)
    return np.array([[cosine, -sine, 0.0], [sine, cosine, 0.0], [0.0, 0.0, 1.0]])


def _error(
    T_map_base: FloatArray, free: FloatArray, height: float
) -> tuple[FloatArray, FloatArray]:
    """What moves the pose at (x, y, yaw) onto the measured one (6,), and its slope (6, 3)."""
    pose = planar_pose(free, height)
    rotation = Rotation.from_matrix(T_map_base[:3, :3] @ pose[:3, :3].T).as_rotvec()
    slope = np.zeros((6, 3))
    slope[0, 0] = slope[1, 1] = -1.0
    slope[3:, 2] = -_turned_on_the_right(rotation) @ [0.0, 0.0, 1.0]
    return np.concatenate([T_map_base[:3, 3] - pose[:3, 3], rotation]), slope


def _turned_on_the_right(rotation: FloatArray) -> FloatArray:
    """How a rotation vector (3,) changes with a small turn before it: SO(3)'s J_r^-1 (3, 3)."""
    angle = float(np.linalg.norm(rotation))
    cross = np.cross(np.eye(3), rotation)
    second = 1 / 12 if angle < 1e-4 else (1 - angle / 2 / np.tan(angle / 2)) / angle**2
    return np.asarray(np.eye(3) + cross / 2 + second * cross @ cross)
