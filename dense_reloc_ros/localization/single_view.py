"""Sparse-to-dense localization of one view of an image: features, places, poses, verification."""

from __future__ import annotations

from collections.abc import Sequence

from dense_reloc_ros.configuration import RetrievalConfiguration
from dense_reloc_ros.features.extractor import DenseFeatures
from dense_reloc_ros.geometry import se3
from dense_reloc_ros.geometry.arrays import FloatArray
from dense_reloc_ros.geometry.camera import Camera
from dense_reloc_ros.localization.localized_view import LocalizedView
from dense_reloc_ros.localization.narrow_view import (
    MUTUAL,
    keyframes_in_sight,
    likely_in_sight,
    narrowing,
    widened,
    with_more_keyframes,
)
from dense_reloc_ros.localization.place_localizer import PlaceLocalizer
from dense_reloc_ros.localization.pose_prior import PosePrior
from dense_reloc_ros.localization.query_view import QueryView
from dense_reloc_ros.localization.result import PoseEstimate
from dense_reloc_ros.retrieval.overlap import better_keyframes
from dense_reloc_ros.retrieval.places import places_among, retrieve_places
from dense_reloc_ros.retrieval.ranked_keyframes import RankedKeyframes
from dense_reloc_ros.stopwatch import Stopwatch

CLEAR_SCORE = 0.75
"""Poses that score more are not looked at again."""


class SingleViewLocalizer(PlaceLocalizer):
    """Finds the poses of one view, by its features, in the places that it looks like."""

    def estimate_view(
        self,
        view: QueryView,
        features: DenseFeatures,
        ranked: RankedKeyframes,
        prior: PosePrior | None,
        stopwatch: Stopwatch,
    ) -> LocalizedView:
        """The best pose in each place that a prior allows, by a view's features and keyframes."""
        guess = None if prior is None else prior.T_map_camera @ view.T_camera_view
        with stopwatch.stage("retrieval"):
            places = places_among(ranked, self.scene_map, self.retrieval_of(view))
        if view.is_narrow:
            estimates = self.estimate_narrow(view, features, places, guess, stopwatch)
            return LocalizedView(view, features, ranked, allowed(estimates, prior, view))
        estimates = self.estimate_in(places, features, view.camera, guess, stopwatch)
        estimates = allowed(estimates, prior, view)
        estimates += self.estimate_guided(estimates, features, view.camera, stopwatch)
        return LocalizedView(view, features, ranked, allowed(estimates, prior, view))

    def retrieval_of(self, view: QueryView) -> RetrievalConfiguration:
        """How keyframes are found for a view."""
        options = self.configuration.retrieval
        return with_more_keyframes(options) if view.is_narrow else options

    def estimate_narrow(
        self,
        view: QueryView,
        features: DenseFeatures,
        places: list[list[int]],
        prior_T_map_view: FloatArray | None,
        stopwatch: Stopwatch,
    ) -> list[PoseEstimate]:
        """The best pose in each place of a view that shows much less than the keyframes do.

        The points that the image matches best give the first one. As they were chosen by what they
        match, they say little about whether it is right: all that is in sight there decides.
        """
        camera = view.camera
        first = self.estimate_in(places, features, camera, prior_T_map_view, stopwatch, MUTUAL)
        found = []
        for estimate in first:
            found += self.estimate_in_sight(view, features, estimate.T_map_camera, stopwatch)
        return found

    def estimate_in_sight(
        self,
        view: QueryView,
        features: DenseFeatures,
        T_map_view: FloatArray,
        stopwatch: Stopwatch,
    ) -> list[PoseEstimate]:
        """The pose near a first one (4, 4), by all points that are in sight there.

        Its covariance is wider where the view is narrow.
        """
        camera, options = view.camera, self.configuration.retrieval
        with stopwatch.stage("retrieval"):
            keyframes = keyframes_in_sight(self.scene_map, T_map_view, camera, options)
        if not keyframes:
            return []
        likely = likely_in_sight(self.scene_map, T_map_view, camera)
        found = self.estimate_in([keyframes], features, camera, T_map_view, stopwatch, likely)
        if not view.is_narrow:
            return found
        factor = narrowing(self.scene_map, view)
        return [widened(estimate, factor) for estimate in found]

    def confidence(self, estimate: PoseEstimate) -> float:
        """The probability that a pose is right, by what speaks for it."""
        return self.judged(estimate).confidence or 0.0

    def is_sure(self, estimate: PoseEstimate) -> bool:
        """Whether a pose needs no further search: it would be believed by what speaks for it."""
        return self.confidence(estimate) >= self.configuration.verification.least_confidence

    def retrieve(
        self, features: DenseFeatures, excluded: frozenset[int] = frozenset()
    ) -> list[list[int]]:
        """Keyframes that the query may show, but those excluded: one or more places, best first."""
        return retrieve_places(features, self.scene_map, self.configuration.retrieval, excluded)

    def estimate_guided(
        self,
        estimates: Sequence[PoseEstimate],
        features: DenseFeatures,
        camera: Camera,
        stopwatch: Stopwatch,
    ) -> list[PoseEstimate]:
        """Once more from the best pose, where other keyframes see more of what it sees.

        None where the pose was found with the keyframes that are best for it.
        """
        best = max(estimates, key=lambda estimate: estimate.score, default=None)
        if best is None or not self.score_threshold <= best.score < CLEAR_SCORE:
            return []
        with stopwatch.stage("retrieval"):
            better = better_keyframes(
                self.scene_map,
                best.T_map_camera,
                camera,
                best.keyframes,
                self.configuration.retrieval,
            )
        if not better:
            return []
        return self.estimate_in([better], features, camera, best.T_map_camera, stopwatch)


def allowed(
    estimates: Sequence[PoseEstimate], prior: PosePrior | None, view: QueryView
) -> list[PoseEstimate]:
    """Those estimates of `T_map_view` at which the camera is where a prior has room for it."""
    if prior is None:
        return list(estimates)
    T_view_camera = se3.inverse(view.T_camera_view)
    return [one for one in estimates if prior.allows(one.T_map_camera @ T_view_camera)]
