"""How far a whole trajectory is off."""

from __future__ import annotations

import math

import numpy as np
from pydantic import BaseModel, ConfigDict
from scipy.spatial.transform import Rotation

from dense_reloc_ros.geometry.arrays import FloatArray
from dense_reloc_ros.geometry.se3 import project_to_so3


class TrajectoryError(BaseModel):
    """Root mean squares over all poses."""

    model_config = ConfigDict(frozen=True)

    ate_m: float
    """Absolute trajectory error: distance between the positions, in the frame of the map."""
    aligned_ate_m: float
    """The same after the rigid motion of the whole that makes it smallest (Horn 1987)."""
    rotation_deg: float
    """Angle between the orientations, not aligned."""


def trajectory_error(truth: FloatArray, poses: FloatArray) -> TrajectoryError:
    """Of poses (N, 4, 4) against the true ones (N, 4, 4) at the same times."""
    difference = poses[:, :3, :3] @ np.swapaxes(truth[:, :3, :3], 1, 2)
    angles = np.linalg.norm(Rotation.from_matrix(difference).as_rotvec(), axis=1)
    return TrajectoryError(
        ate_m=_root_mean_square(np.linalg.norm((poses - truth)[:, :3, 3], axis=1)),
        aligned_ate_m=_root_mean_square(_aligned_distances(truth[:, :3, 3], poses[:, :3, 3])),
        rotation_deg=math.degrees(_root_mean_square(angles)),
    )


def _aligned_distances(truth: FloatArray, points: FloatArray) -> FloatArray:
    centred, true_centred = points - points.mean(axis=0), truth - truth.mean(axis=0)
    rotation = project_to_so3(true_centred.T @ centred)
    return np.asarray(np.linalg.norm(centred @ rotation.T - true_centred, axis=1))


def _root_mean_square(values: FloatArray) -> float:
    return float(np.sqrt(np.mean(np.square(values))))
