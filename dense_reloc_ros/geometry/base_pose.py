"""The pose of the robot's base from that of its camera."""

from __future__ import annotations

import numpy as np

from dense_reloc_ros.geometry.arrays import FloatArray


def base_pose(
    T_map_camera: FloatArray, covariance: FloatArray, T_camera_base: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """`T_map_base` (4, 4) and its covariance (6, 6).

    Covariances are those of (x, y, z, rotX, rotY, rotZ) about the fixed axes of the map frame. A
    small rotation w of the camera about these axes also moves the base, which lies r (map axes)
    away from it, by w x r: the adjoint of that shift of origin maps one covariance to the other.
    """
    x, y, z = T_map_camera[:3, :3] @ T_camera_base[:3, 3]
    adjoint = np.eye(6)
    adjoint[:3, 3:] = -np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])
    return T_map_camera @ T_camera_base, adjoint @ covariance @ adjoint.T
