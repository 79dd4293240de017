"""Sparse-to-dense localization: map points against every pixel of the query's dense features."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from numpy.typing import NDArray

from dense_reloc_ros.configuration import LocalizerConfiguration
from dense_reloc_ros.features.extractor import DenseFeatures, image_to_tensor
from dense_reloc_ros.geometry import se3
from dense_reloc_ros.geometry.arrays import FloatArray
from dense_reloc_ros.geometry.camera import Camera
from dense_reloc_ros.localization.decision import with_rival
from dense_reloc_ros.localization.localized_view import LocalizedView
from dense_reloc_ros.localization.localizer import PoseCandidates
from dense_reloc_ros.localization.method import Method
from dense_reloc_ros.localization.narrow_view import (
    MUTUAL,
    keyframes_in_sight,
    likely_in_sight,
    narrowing,
    widened,
    with_more_keyframes,
)
from dense_reloc_ros.localization.place_localizer import PlaceLocalizer
from dense_reloc_ros.localization.point_choice import out_of_sight
from dense_reloc_ros.localization.pose_prior import PosePrior, keyframes_out_of_reach
from dense_reloc_ros.localization.query_view import QueryView
from dense_reloc_ros.localization.result import PoseEstimate
from dense_reloc_ros.localization.single_keyframes import KeyframePose, poses_by_keyframes
from dense_reloc_ros.localization.view_search import ViewSearch
from dense_reloc_ros.retrieval.look_alikes import SIMILAR, look_alikes
from dense_reloc_ros.retrieval.overlap import better_keyframes
from dense_reloc_ros.retrieval.places import (
    RankedKeyframes,
    places_among,
    rank_keyframes,
    retrieve_places,
)
from dense_reloc_ros.scene.scene_map import SceneMap
from dense_reloc_ros.stopwatch import Stopwatch

SINGLE_KEYFRAMES = 10
"""That are tried alone where no pose is sure."""
CLEAR_SCORE = 0.75
"""Poses that score more are not looked at again."""


class SparseToDenseLocalizer(PlaceLocalizer):
    """Map points against every pixel of the query's dense features."""

    largest_scale = 4.0
    """More than others: `ViewSearch` looks at the middle of views from far away at full size."""

    def estimate(
        self,
        image: NDArray[np.uint8],
        camera: Camera,
        prior: PosePrior | None,
        stopwatch: Stopwatch,
    ) -> PoseCandidates:
        """The poses in the view of the image that is most like the keyframes.

        Those that the prior allows, if the image leaves no doubt in one of them; or else all.
        """
        if prior is None or prior.covariance is None:
            return self.search(image, camera, prior, frozenset(), stopwatch).candidates()
        far = keyframes_out_of_reach(self.scene_map, prior)
        found = self.search(image, camera, prior, far, stopwatch)
        if self.agrees(found, stopwatch):
            return found.candidates()
        return self.search(image, camera, None, frozenset(), stopwatch).candidates()

    def agrees(self, found: LocalizedView, stopwatch: Stopwatch) -> bool:
        """Whether an image shows what a prior says: keyframes out of reach are no more like it."""
        best = found.best
        if best is None or not self.is_sure(with_rival(best, found.estimates)):
            return False
        options = self.configuration.retrieval
        with stopwatch.stage("retrieval"):
            anywhere = rank_keyframes(found.features, self.scene_map, options)
        return found.ranked.best_evidence >= SIMILAR * anywhere.best_evidence

    def search(
        self,
        image: NDArray[np.uint8],
        camera: Camera,
        prior: PosePrior | None,
        excluded: frozenset[int],
        stopwatch: Stopwatch,
    ) -> LocalizedView:
        """The poses that a prior allows, with other keyframes than those excluded."""

        search = ViewSearch(self.scene_map, _Views(self, prior, excluded, stopwatch))
        found = search(image, camera, None if prior is None else prior.T_map_camera)
        rivals = allowed(self.estimate_rivals(found, stopwatch), prior, found.view)
        return replace(found, estimates=[*found.estimates, *rivals])

    def estimate_view(
        self,
        view: QueryView,
        features: DenseFeatures,
        prior: PosePrior | None,
        excluded: frozenset[int],
        stopwatch: Stopwatch,
    ) -> LocalizedView:
        """Retrieval and the best pose in each place that a prior allows, by a view's features."""
        guess = None if prior is None else prior.T_map_camera @ view.T_camera_view
        options = self.configuration.retrieval
        if view.is_narrow:
            options = with_more_keyframes(options)
        with stopwatch.stage("retrieval"):
            ranked = rank_keyframes(features, self.scene_map, options, excluded)
            places = places_among(ranked, self.scene_map, options)
        if view.is_narrow:
            estimates = self.estimate_narrow(view, features, places, guess, stopwatch)
            return LocalizedView(view, features, ranked, allowed(estimates, prior, view))
        estimates = self.estimate_in(places, features, view.camera, guess, stopwatch)
        estimates = allowed(estimates, prior, view)
        if not any(self.is_sure(estimate) for estimate in estimates):
            more = self.more_places(ranked, places)
            estimates += self.estimate_in(more, features, view.camera, guess, stopwatch)
            estimates = allowed(estimates, prior, view)
        estimates += self.estimate_guided(estimates, features, view.camera, stopwatch)
        return LocalizedView(view, features, ranked, allowed(estimates, prior, view))

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

    def is_sure(self, estimate: PoseEstimate) -> bool:
        """Whether a pose needs no further search: it would be believed by what speaks for it."""
        confidence = self.judged(estimate).confidence or 0.0
        return confidence >= self.configuration.verification.least_confidence

    def retrieve(
        self, features: DenseFeatures, excluded: frozenset[int] = frozenset()
    ) -> list[list[int]]:
        """Keyframes that the query may show, but those excluded: one or more places, best first."""
        return retrieve_places(features, self.scene_map, self.configuration.retrieval, excluded)

    def more_places(self, ranked: RankedKeyframes, tried: list[list[int]]) -> list[list[int]]:
        """As many places again, among twice as many keyframes, that have none of those tried."""
        options = self.configuration.retrieval
        wider = options.model_copy(
            update={"keyframes": 2 * options.keyframes, "clusters": 2 * options.clusters}
        )
        known = {keyframe for place in tried for keyframe in place}
        places = places_among(ranked, self.scene_map, wider)
        return [place for place in places if known.isdisjoint(place)][: options.clusters]

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

    def estimate_rivals(self, found: LocalizedView, stopwatch: Stopwatch) -> list[PoseEstimate]:
        """A pose by what looks like the image, but is out of sight at the best pose, if it is sure.

        The places that were tried may hold several that look alike, of which each gives one pose.
        """
        best, camera = found.best, found.view.camera
        if best is None or not self.is_sure(best):
            return []
        with stopwatch.stage("retrieval"):
            options = self.configuration.retrieval
            similar = look_alikes(found.ranked, self.scene_map, options, best.T_map_camera, camera)
        if not similar:
            return []
        elsewhere = out_of_sight(self.scene_map, best.T_map_camera, camera)
        return self.estimate_in([similar], found.features, camera, None, stopwatch, elsewhere)


@dataclass(frozen=True)
class _Views:
    """What a localizer finds in the views of one image; a `ViewLocalizer`.

    A view that is asked for again, as where two choices come to the same, costs nothing.
    """

    localizer: SparseToDenseLocalizer
    prior: PosePrior | None
    excluded: frozenset[int]
    stopwatch: Stopwatch
    known_features: dict[tuple[Camera, int], DenseFeatures] = field(default_factory=dict)
    """By the camera of a view, which says what part of the image it is, and its quarter turns."""
    known: dict[tuple[Camera, int, bool], LocalizedView] = field(default_factory=dict)
    """As above, and by whether it is narrow."""

    def localize(self, view: QueryView) -> LocalizedView:
        key = (view.camera, view.quarters, view.is_narrow)
        if key not in self.known:
            features = self._features(view, "features")
            self.known[key] = self.localizer.estimate_view(
                view, features, self.prior, self.excluded, self.stopwatch
            )
        return self.known[key]

    def localize_from(self, view: QueryView, T_map_view: FloatArray) -> LocalizedView:
        features = self._features(view)
        ranked = self._ranked(features)
        found = self.localizer.estimate_in_sight(view, features, T_map_view, self.stopwatch)
        return LocalizedView(view, features, ranked, allowed(found, self.prior, view))

    def poses_by_keyframes(self, view: QueryView) -> list[KeyframePose]:
        features = self._features(view)
        keyframes = self._ranked(features).keyframes[:SINGLE_KEYFRAMES].tolist()
        temperature = self.localizer.temperatures["coarse"]
        scene_map = self.localizer.scene_map
        with self.stopwatch.stage("view"):
            return poses_by_keyframes(features, view.camera, scene_map, keyframes, temperature)

    def evidence_in(self, view: QueryView) -> float:
        return self._ranked(self._features(view)).best_evidence

    def is_sure(self, estimate: PoseEstimate) -> bool:
        return self.localizer.is_sure(estimate)

    def _features(self, view: QueryView, stage: str = "view") -> DenseFeatures:
        key = (view.camera, view.quarters)
        if key not in self.known_features:
            with self.stopwatch.stage(stage):
                image = image_to_tensor(view.image, self.localizer.device)
                self.known_features[key] = self.localizer.extractor(image)
        return self.known_features[key]

    def _ranked(self, features: DenseFeatures) -> RankedKeyframes:
        options = self.localizer.configuration.retrieval
        with self.stopwatch.stage("view"):
            return rank_keyframes(features, self.localizer.scene_map, options, self.excluded)


def allowed(
    estimates: Sequence[PoseEstimate], prior: PosePrior | None, view: QueryView
) -> list[PoseEstimate]:
    """Those estimates of `T_map_view` at which the camera is where a prior has room for it."""
    if prior is None:
        return list(estimates)
    T_view_camera = se3.inverse(view.T_camera_view)
    return [one for one in estimates if prior.allows(one.T_map_camera @ T_view_camera)]


def _method(name: str, description: str) -> Method:
    def create(
        scene_map: SceneMap, configuration: LocalizerConfiguration, device: torch.device
    ) -> SparseToDenseLocalizer:
        return SparseToDenseLocalizer(scene_map, configuration, device, name)

    return Method(name, "sparse_to_dense", "compact", description, create)


METHODS = (
    _method("nre", "sparse-to-dense loss maps, MSAC + P3P, GNC coarse to fine (NRE)"),
    _method("nre_coarse", "NRE that stops before the fine maps"),
    _method("re", "best pixel of each map, LO-RANSAC and refinement (reprojection error)"),
    _method("re_smoothed", "best pixel of each map, RE as a special case of NRE (thesis eq. 4.11)"),
    _method("feature_pnp", "re, then features and descriptors aligned (Feature-PnP)"),
    _method("nre_feature_pnp", "nre, then features and descriptors aligned (Feature-PnP)"),
)
