"""Where a camera will be, from where it was: by odometry, or else at constant velocity."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from dense_reloc_ros.geometry import se3
from dense_reloc_ros.localization import FloatArray


@dataclass(frozen=True)
class TimedPose:
    """A camera's pose when a frame was taken."""

    stamp: int
    """Nanoseconds."""
    T_map_camera: FloatArray
    """(4, 4)."""
    T_odom_camera: FloatArray | None = None
    """(4, 4) by odometry, None where there is none."""


def propagate(
    first: TimedPose, last: TimedPose, stamp: int, T_odom_camera: FloatArray | None
) -> FloatArray:
    """T_map_camera (4, 4) at a later time, from two poses.

    Odometry since the last one where there is any for both; otherwise the velocity between the
    two, in the camera's frame, goes on. If they are the same one, the camera stands still.
    """
    if T_odom_camera is not None and last.T_odom_camera is not None:
        return last.T_map_camera @ se3.inverse(last.T_odom_camera) @ T_odom_camera
    if last.stamp <= first.stamp:
        return last.T_map_camera
    share = (stamp - last.stamp) / (last.stamp - first.stamp)
    step = se3.inverse(first.T_map_camera) @ last.T_map_camera
    turn = Rotation.from_matrix(step[:3, :3]).as_rotvec()
    moved = se3.rigid(Rotation.from_rotvec(share * turn).as_matrix(), share * step[:3, 3])
    return np.asarray(last.T_map_camera @ moved)
