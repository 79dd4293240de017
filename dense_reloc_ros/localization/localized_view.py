"""What is found in one view of an image, and by whom."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from dense_reloc_ros.features.extractor import DenseFeatures
from dense_reloc_ros.geometry.arrays import FloatArray
from dense_reloc_ros.geometry.se3 import inverse
from dense_reloc_ros.localization.coarse_pose import CoarsePose
from dense_reloc_ros.localization.localizer import PoseCandidates
from dense_reloc_ros.localization.query_view import QueryView
from dense_reloc_ros.localization.result import FeatureView, PoseEstimate
from dense_reloc_ros.retrieval.ranked_keyframes import RankedKeyframes


@dataclass(frozen=True)
class LocalizedView:
    """What was found in one view."""

    view: QueryView
    features: DenseFeatures
    ranked: RankedKeyframes
    """What was retrieved."""
    estimates: Sequence[PoseEstimate]
    """Their poses are T_map_view."""

    @property
    def best(self) -> PoseEstimate | None:
        """The pose with the highest score."""
        return max(self.estimates, key=lambda estimate: estimate.score, default=None)

    @property
    def score(self) -> float:
        """That of the best pose, 0 where there is none."""
        return 0.0 if self.best is None else self.best.score

    def candidates(self) -> PoseCandidates:
        """The same with the poses of the query's camera, T_map_camera.

        Their covariances are the same: those are of the camera's centre, and of rotations about
        the axes of the map.
        """
        T_view_camera = inverse(self.view.T_camera_view)
        estimates = [
            replace(estimate, T_map_camera=estimate.T_map_camera @ T_view_camera)
            for estimate in self.estimates
        ]
        view = FeatureView(self.view.camera, self.view.T_camera_view)
        return PoseCandidates(estimates, self.features, view)


class ViewLocalizer(Protocol):
    """What can be found in one view."""

    def localize(self, view: QueryView) -> LocalizedView:
        """The poses in the places that the view looks like."""
        ...

    def localize_from(self, view: QueryView, T_map_view: FloatArray) -> LocalizedView:
        """The pose near a coarse one (4, 4), by all keyframes that see the same."""
        ...

    def coarse_pose(self, view: QueryView) -> CoarsePose | None:
        """Where the view may have been taken, if it looks like anything in the map."""
        ...

    def last_starts(self, view: QueryView) -> Iterable[FloatArray]:
        """Coarse poses (4, 4), T_map_view, where nothing else is sure; none without a way to."""
        ...

    def evidence_in(self, view: QueryView) -> float:
        """How much a view looks like any keyframe."""
        ...

    def confidence(self, estimate: PoseEstimate) -> float:
        """The probability that a pose is right."""
        ...

    @property
    def has_spent_all(self) -> bool:
        """Whether the image has cost as much as it may."""
        ...

    def is_sure(self, estimate: PoseEstimate) -> bool:
        """Whether a pose is good enough to look no further."""
        ...
