"""Sparse-to-dense localization: map points against every pixel of the query's dense features."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from dense_reloc_ros.configuration import LocalizerConfiguration
from dense_reloc_ros.devices import network_batch
from dense_reloc_ros.features.extractor import FeatureExtractor, features_of_each
from dense_reloc_ros.geometry.arrays import FloatArray
from dense_reloc_ros.geometry.camera import Camera
from dense_reloc_ros.localization.decision import with_rivals
from dense_reloc_ros.localization.hallucinated_poses import HallucinatedPoses
from dense_reloc_ros.localization.image_views import ImageViews
from dense_reloc_ros.localization.last_resort import LastResort
from dense_reloc_ros.localization.localized_view import LocalizedView
from dense_reloc_ros.localization.localizer import (
    PoseCandidates,
    PreparedImage,
)
from dense_reloc_ros.localization.method import Method
from dense_reloc_ros.localization.narrow_view import seen_by_little
from dense_reloc_ros.localization.pose_prior import PosePrior, keyframes_out_of_reach
from dense_reloc_ros.localization.result import PoseEstimate
from dense_reloc_ros.localization.rivals import rivals_of
from dense_reloc_ros.localization.search_work import SearchWork
from dense_reloc_ros.localization.single_view import SingleViewLocalizer, allowed
from dense_reloc_ros.localization.view_choice import first_view
from dense_reloc_ros.localization.view_search import ViewSearch
from dense_reloc_ros.retrieval.places import rank_keyframes
from dense_reloc_ros.scene.scene_map import SceneMap
from dense_reloc_ros.stopwatch import Stopwatch

AS_MUCH_ALIKE = 0.9
"""Share of the evidence that keyframes within reach of a prior must have, relative to all."""


class SparseToDenseLocalizer(SingleViewLocalizer):
    """Map points against every pixel of the query's dense features."""

    largest_scale = 4.0
    """More than others: `ViewSearch` looks at the middle of views from far away at full size."""

    def __init__(
        self,
        scene_map: SceneMap,
        configuration: LocalizerConfiguration,
        device: torch.device,
        method: str,
        extractor: FeatureExtractor | None = None,
        last_resort: LastResort | None = None,
    ) -> None:
        super().__init__(scene_map, configuration, device, method, extractor)
        self._last_resort = last_resort

    @property
    def images_at_once(self) -> int:
        return network_batch(self.device)

    def prepared_together(
        self,
        images: Sequence[tuple[NDArray[np.uint8], Camera]],
        ups: Sequence[FloatArray | None] | None = None,
    ) -> list[PreparedImage]:
        """Images that may be localized, with the features of their first views."""
        prepared = super().prepared_together(images, ups)
        usable = [image for image in prepared if image.refusal is None]
        if len(usable) < 2:
            return prepared
        views = [
            first_view(self.scene_map, one.image, one.camera, one.up_in_camera) for one in usable
        ]
        together = Stopwatch(self.device)
        with together.stage("features"), torch.inference_mode():
            pixels = [view.image for view in views]
            described = features_of_each(self.extractor, pixels, len(pixels))
        share = together.milliseconds["features"] / len(usable)
        for image, view, features in zip(usable, views, described, strict=True):
            image.known_features[view.camera, view.quarters] = features
            image.stopwatch.add("features", share)
        return prepared

    def estimate(self, query: PreparedImage, prior: PosePrior | None) -> PoseCandidates:
        """The poses in the view of the image that is most like the keyframes.

        Those that the prior allows, if the image leaves no doubt in one of them; or else all.
        """
        if prior is None or prior.covariance is None:
            return self.search(query, prior, frozenset()).candidates()
        found = self.search(query, prior, keyframes_out_of_reach(self.scene_map, prior))
        if self.agrees(found, query.stopwatch):
            return found.candidates()
        return self.search(query, None, frozenset()).candidates()

    def agrees(self, found: LocalizedView, stopwatch: Stopwatch) -> bool:
        """Whether an image shows what a prior says: keyframes out of reach are no more like it."""
        best = found.best
        if best is None or not self.is_sure(with_rivals(best, found.estimates)):
            return False
        options = self.configuration.retrieval
        with stopwatch.stage("retrieval"):
            anywhere = rank_keyframes(found.features, self.scene_map, options)
        return found.ranked.best_evidence >= AS_MUCH_ALIKE * anywhere.best_evidence

    def search(
        self, query: PreparedImage, prior: PosePrior | None, excluded: frozenset[int]
    ) -> LocalizedView:
        """The poses that a prior allows, with other keyframes than those excluded.

        Features of views come to those of the image that are known.
        """
        work, stopwatch = SearchWork(self.configuration.search.budget), query.stopwatch
        known = query.known_features
        views = ImageViews(self, prior, excluded, stopwatch, work, known, self._last_resort)
        search = ViewSearch(self.scene_map, views)
        T_map_camera = None if prior is None else prior.T_map_camera
        found = search(query.image, query.camera, T_map_camera, query.up_in_camera)
        rivals = allowed(self.estimate_rivals(found, stopwatch), prior, found.view)
        return replace(found, estimates=[*found.estimates, *rivals])

    def estimate_rivals(self, found: LocalizedView, stopwatch: Stopwatch) -> list[PoseEstimate]:
        """A pose by what looks like the image, but is out of sight at the best pose, if it is sure.

        The places that were tried may hold several that look alike, of which each gives one pose.
        """
        best, camera = found.best, found.view.camera
        if best is None or not self.is_sure(best):
            return []
        rivals = rivals_of(self, best, found.ranked, found.features, camera, stopwatch)
        share = 1.0 if best.evidence is None else best.evidence.field_share
        return [seen_by_little(rival, share) for rival in rivals]


def _method(name: str, description: str) -> Method:
    def create(
        scene_map: SceneMap, configuration: LocalizerConfiguration, device: torch.device
    ) -> SparseToDenseLocalizer:
        variant, last_resort = configuration.search.last_resort, None
        if variant != "none":
            last_resort = LastResort(HallucinatedPoses(scene_map, configuration, variant, device))
        return SparseToDenseLocalizer(
            scene_map, configuration, device, name, last_resort=last_resort
        )

    return Method(name, "sparse_to_dense", "compact", description, create)


METHODS = (
    _method("nre", "sparse-to-dense loss maps, MSAC + P3P, GNC coarse to fine (NRE)"),
    _method("nre_coarse", "NRE that stops before the fine maps"),
    _method("re", "best pixel of each map, LO-RANSAC and refinement (reprojection error)"),
    _method("re_smoothed", "best pixel of each map, RE as a special case of NRE (thesis eq. 4.11)"),
    _method("feature_pnp", "re, then features and descriptors aligned (Feature-PnP)"),
    _method("nre_feature_pnp", "nre, then features and descriptors aligned (Feature-PnP)"),
)
