"""What became of held-out views: the evidence for the poses found, and how far off they are."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from dense_reloc_ros.geometry.arrays import FloatArray
from dense_reloc_ros.localization.decision import WRONG_DEPTH_SHARE, WRONG_RADIANS, likeliest
from dense_reloc_ros.localization.result import PoseEstimate
from dense_reloc_ros.localization.sparse_to_dense import SparseToDenseLocalizer
from dense_reloc_ros.mapping.calibration.held_out import HeldOutQuery
from dense_reloc_ros.pose.evidence import PoseEvidence
from dense_reloc_ros.retrieval.distinct_views import median_depth
from dense_reloc_ros.stopwatch import Stopwatch


@dataclass(frozen=True)
class Outcome:
    """The best pose that was found of one view, and the truth about it."""

    evidence: PoseEvidence
    score: float
    depth_share: float
    """Error of the position relative to the median depth of what the view shows; infinite where
    the map does not show it at all."""
    radians: float
    """Error of the rotation."""
    normalized_error: float
    """Squared error in units of the covariance (NEES)."""

    @property
    def is_right(self) -> bool:
        """Whether the pose would not mislead a robot."""
        return self.depth_share <= WRONG_DEPTH_SHARE and self.radians <= WRONG_RADIANS


def outcomes(localizer: SparseToDenseLocalizer, queries: Iterable[HeldOutQuery]) -> list[Outcome]:
    """What becomes of views by a localizer on the map without what each of them excludes.

    Views that no pose is found of have no outcome: nothing is published of them anyway.
    """
    found = ((query, best_estimate(localizer, query)) for query in queries)
    return [outcome(localizer, query, best) for query, best in found if best is not None]


def best_estimate(localizer: SparseToDenseLocalizer, query: HeldOutQuery) -> PoseEstimate | None:
    """The pose that would be decided about."""
    places = localizer.retrieve(query.features, query.excluded)
    watch = Stopwatch(localizer.device)
    estimates: Sequence[PoseEstimate] = localizer.estimate_in(
        places, query.features, query.camera, None, watch
    )
    return likeliest(estimates)


def outcome(localizer: SparseToDenseLocalizer, query: HeldOutQuery, best: PoseEstimate) -> Outcome:
    """The truth about an estimate, which must have evidence."""
    assert best.evidence is not None
    depth = float(median_depth(localizer.scene_map, query.keyframe))
    error = pose_difference(query.T_map_camera, best)
    return Outcome(
        evidence=best.evidence,
        score=best.score,
        depth_share=float(np.linalg.norm(error[:3])) / depth,
        radians=float(np.linalg.norm(error[3:])),
        normalized_error=float(error @ np.linalg.solve(best.covariance, error)),
    )


def pose_difference(truth: FloatArray, estimate: PoseEstimate) -> FloatArray:
    """The error (6,) of an estimate in ROS order, about the fixed axes of the map."""
    rotation = estimate.T_map_camera[:3, :3] @ truth[:3, :3].T
    return np.concatenate(
        [
            estimate.T_map_camera[:3, 3] - truth[:3, 3],
            Rotation.from_matrix(rotation).as_rotvec(),
        ]
    )
