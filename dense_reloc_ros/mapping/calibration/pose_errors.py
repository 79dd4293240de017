"""How far off the poses of a map's own images are, whatever its unit of length."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from dense_reloc_ros.geometry import se3
from dense_reloc_ros.geometry.arrays import FloatArray
from dense_reloc_ros.localization.result import PoseEstimate
from dense_reloc_ros.retrieval.distinct_views import median_depth
from dense_reloc_ros.scene.scene_map import SceneMap

NEES_QUANTILE = 0.95
EXPECTED_NEES = 12.592
"""This quantile of the normalized error of six values where the covariance is right (chi²).

A high one, as the map's own images are the easiest queries: they helped to place its points.
"""


@dataclass(frozen=True)
class Tolerance:
    """The largest error that counts: a share of the depth, as a map's unit may be arbitrary."""

    depth_share: float
    radians: float

    def holds(self, scene_map: SceneMap, keyframe: int, estimate: PoseEstimate) -> bool:
        """Whether the pose of a keyframe's image is within."""
        truth = scene_map.keyframe_poses[keyframe].numpy()
        error = se3.pose_error(truth, estimate.T_map_camera)
        off = error.translation / float(median_depth(scene_map, keyframe))
        return off <= self.depth_share and error.rotation <= self.radians


PUBLISHABLE = Tolerance(0.14, float(np.deg2rad(10.0)))
"""A pose that is further off is wrong; in a room, where things are 1.8 m away, by 0.25 m."""
RIGHT = Tolerance(0.028, float(np.deg2rad(5.0)))
"""What the confidence is the probability of; in such a room within 5 cm."""


def normalized_error(truth: FloatArray, estimate: PoseEstimate) -> float:
    """The squared error of a pose in units of its covariance (NEES)."""
    rotation = estimate.T_map_camera[:3, :3] @ truth[:3, :3].T
    error = np.concatenate(
        [
            estimate.T_map_camera[:3, 3] - truth[:3, 3],
            Rotation.from_matrix(rotation).as_rotvec(),
        ]
    )
    return float(error @ np.linalg.solve(estimate.covariance, error))


def covariance_scale(normalized_errors: Sequence[float]) -> float:
    """What covariances are multiplied by, so that they fit the errors that were seen; 1 if none."""
    if not normalized_errors:
        return 1.0
    return float(np.quantile(normalized_errors, NEES_QUANTILE)) / EXPECTED_NEES
