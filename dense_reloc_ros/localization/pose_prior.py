"""What is known of a camera's pose before its image is looked at."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from scipy.spatial.transform import Rotation
from scipy.special import chdtri

from dense_reloc_ros.errors import InputError
from dense_reloc_ros.geometry.arrays import FloatArray
from dense_reloc_ros.geometry.se3 import checked_rigid, shifted
from dense_reloc_ros.retrieval.distinct_views import median_depth
from dense_reloc_ros.retrieval.nearest_poses import nearest_poses
from dense_reloc_ros.scene.scene_map import SceneMap

INSIDE = 0.99
"""Share of the right poses that a prior's covariance is taken to hold."""
LEAST_DEVIATIONS = np.array([0.1] * 3 + [0.05] * 3)
"""Metres and radians: nobody knows a pose better before the image is looked at."""
REACH = 0.3
"""Standard deviation of how far from a camera keyframes stand that show what it sees, relative to
the depth: 99% are within the depth."""
NEAREST = 4
"""Keyframes that say how far away things are at a prior pose."""


@dataclass(frozen=True)
class PosePrior:
    """A pose that a camera is thought to have."""

    T_map_camera: FloatArray
    """(4, 4)."""
    covariance: FloatArray | None = None
    """(6, 6) in ROS order, as of a `PoseEstimate`. None where it is not known: then the pose is a
    guess that is tried besides others, and excludes none."""

    @classmethod
    def checked(
        cls, T_map_camera: FloatArray, covariance: FloatArray | None, origin: FloatArray
    ) -> PosePrior:
        """A prior given in the map frame, counted from the map's `origin` (3,).

        Raises:
            InputError: a pose that is not rigid, or a covariance that is none.
        """
        local = shifted(checked_rigid(T_map_camera), -origin)
        if covariance is None:
            return cls(local)
        covariance = np.asarray(covariance, dtype=np.float64)
        if covariance.shape != (6, 6) or not np.isfinite(covariance).all():
            raise InputError("the covariance of a prior pose has 6x6 finite values")
        symmetric = (covariance + covariance.T) / 2
        if np.linalg.eigvalsh(symmetric)[0] < -1e-6 * max(1.0, np.abs(symmetric).max()):
            raise InputError("the covariance of the prior pose is not positive semidefinite")
        return cls(local, symmetric + np.diag(LEAST_DEVIATIONS**2))

    def allows(self, T_map_camera: FloatArray) -> bool:
        """Whether a pose (4, 4) is one that the prior has room for."""
        if self.covariance is None:
            return True
        turn = T_map_camera[:3, :3] @ self.T_map_camera[:3, :3].T
        off = np.concatenate(
            [
                T_map_camera[:3, 3] - self.T_map_camera[:3, 3],
                Rotation.from_matrix(turn).as_rotvec(),
            ]
        )
        return float(off @ np.linalg.solve(self.covariance, off)) <= float(chdtri(6, 1 - INSIDE))


def keyframes_out_of_reach(scene_map: SceneMap, prior: PosePrior) -> frozenset[int]:
    """The keyframes too far from a prior pose to show what a camera there sees."""
    if prior.covariance is None:
        return frozenset()
    pose = torch.from_numpy(prior.T_map_camera)
    typical = float(median_depth(scene_map, 0)) or 1.0
    nearest = nearest_poses(scene_map, pose, typical, NEAREST)
    depth = float(np.median([float(median_depth(scene_map, k)) for k in nearest])) or typical
    off = scene_map.keyframe_poses[:, :3, 3].double().numpy() - prior.T_map_camera[:3, 3]
    covariance = prior.covariance[:3, :3] + (REACH * depth) ** 2 * np.eye(3)
    squared = np.sum(off * np.linalg.solve(covariance, off.T).T, axis=1)
    return frozenset(np.flatnonzero(squared > chdtri(3, 1 - INSIDE)).tolist())
