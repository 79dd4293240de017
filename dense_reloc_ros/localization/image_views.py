"""What is found in the views of one image, each of which is looked at once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from dense_reloc_ros.features.extractor import DenseFeatures, image_to_tensor
from dense_reloc_ros.geometry.arrays import FloatArray
from dense_reloc_ros.geometry.camera import Camera
from dense_reloc_ros.localization.coarse_pose import CoarsePose, coarse_pose
from dense_reloc_ros.localization.last_resort import LastResort
from dense_reloc_ros.localization.localized_view import LocalizedView
from dense_reloc_ros.localization.localizer import KnownFeatures
from dense_reloc_ros.localization.pose_prior import PosePrior
from dense_reloc_ros.localization.query_view import QueryView
from dense_reloc_ros.localization.result import PoseEstimate
from dense_reloc_ros.localization.search_work import (
    COARSE_POSE,
    NETWORK,
    PLACE,
    SearchWork,
)
from dense_reloc_ros.localization.single_view import SingleViewLocalizer, allowed
from dense_reloc_ros.retrieval.places import rank_keyframes
from dense_reloc_ros.retrieval.ranked_keyframes import RankedKeyframes
from dense_reloc_ros.stopwatch import Stopwatch

COARSE_KEYFRAMES = 20
"""Whose points give a view's coarse pose."""


@dataclass(frozen=True)
class ImageViews:
    """What a localizer finds in the views of one image; a `ViewLocalizer`.

    A view that is localized again, as where two choices come to the same, costs nothing.
    """

    localizer: SingleViewLocalizer
    prior: PosePrior | None
    excluded: frozenset[int]
    stopwatch: Stopwatch
    work: SearchWork
    known_features: KnownFeatures = field(default_factory=dict)
    last_resort: LastResort | None = None
    known: dict[tuple[Camera, int, bool], LocalizedView] = field(default_factory=dict)
    """By camera and quarter turns, and by whether the view is narrow."""
    ranked: dict[tuple[Camera, int, bool], RankedKeyframes] = field(default_factory=dict)
    """What looks like each view, in the same way."""
    counted: set[tuple[Camera, int]] = field(default_factory=set)
    """Views whose features were asked for: known or not, they count as work once."""

    @property
    def has_spent_all(self) -> bool:
        return self.work.is_over

    def localize(self, view: QueryView) -> LocalizedView:
        key = (view.camera, view.quarters, view.is_narrow)
        if key not in self.known:
            features = self._features(view, "features")
            ranked = self._ranked(view, "retrieval")
            self.known[key] = self.localizer.estimate_view(
                view, features, ranked, self.prior, self.stopwatch
            )
            self.work.add(PLACE * max(1, len(self.known[key].estimates)))
        return self.known[key]

    def localize_from(self, view: QueryView, T_map_view: FloatArray) -> LocalizedView:
        features, ranked = self._features(view), self._ranked(view)
        self.work.add(PLACE)
        found = self.localizer.estimate_in_sight(view, features, T_map_view, self.stopwatch)
        return LocalizedView(view, features, ranked, allowed(found, self.prior, view))

    def coarse_pose(self, view: QueryView) -> CoarsePose | None:
        features = self._features(view)
        keyframes = self._ranked(view).keyframes[:COARSE_KEYFRAMES].tolist()
        temperature = self.localizer.temperatures["coarse"]
        self.work.add(COARSE_POSE)
        with self.stopwatch.stage("view"):
            return coarse_pose(
                features, view.camera, self.localizer.scene_map, keyframes, temperature
            )

    def last_starts(self, view: QueryView) -> Iterator[FloatArray]:
        if self.last_resort is None:
            return
        features = self._features(view)
        keyframes = self._ranked(view).keyframes.tolist()
        configuration = self.localizer.configuration
        starts = self.last_resort.starts(view, features, keyframes, configuration)
        while True:
            with self.stopwatch.stage("last_resort"):
                of_keyframe = next(starts, None)
            if of_keyframe is None:
                return
            yield from of_keyframe

    def evidence_in(self, view: QueryView) -> float:
        return self._ranked(view).best_evidence

    def confidence(self, estimate: PoseEstimate) -> float:
        return self.localizer.confidence(estimate)

    def is_sure(self, estimate: PoseEstimate) -> bool:
        return self.localizer.is_sure(estimate)

    def _features(self, view: QueryView, stage: str = "view") -> DenseFeatures:
        key = (view.camera, view.quarters)
        if key not in self.known_features:
            with self.stopwatch.stage(stage):
                image = image_to_tensor(view.image, self.localizer.device)
                self.known_features[key] = self.localizer.extractor(image)
        if key not in self.counted:
            self.counted.add(key)
            _, pixels = self.localizer.scene_map.keyframe_pixels
            self.work.add(NETWORK * view.camera.width * view.camera.height / pixels)
        return self.known_features[key]

    def _ranked(self, view: QueryView, stage: str = "view") -> RankedKeyframes:
        key = (view.camera, view.quarters, view.is_narrow)
        if key not in self.ranked:
            features, scene_map = self._features(view), self.localizer.scene_map
            options = self.localizer.retrieval_of(view)
            with self.stopwatch.stage(stage):
                self.ranked[key] = rank_keyframes(features, scene_map, options, self.excluded)
        return self.ranked[key]
