"""DSM as a method: retrieval, scene coordinates of all cells, RANSAC and PnP (paper 3.1)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dense_reloc_ros.configuration import LocalizerConfiguration
from dense_reloc_ros.dsm.keyframe_views import KeyframeViews
from dense_reloc_ros.dsm.matcher_weights import open_scene_matcher
from dense_reloc_ros.dsm.place_match import PlaceMatch, match_place
from dense_reloc_ros.dsm.pose import supporting_points
from dense_reloc_ros.dsm.scene_matcher import SceneMatcher, Variant
from dense_reloc_ros.dsm.scene_views import LevelPrediction, PreviousFrame, Pyramid
from dense_reloc_ros.errors import RelocError, TimeLimitError
from dense_reloc_ros.features.extractor import FeatureExtractor, image_to_tensor
from dense_reloc_ros.geometry import se3
from dense_reloc_ros.geometry.arrays import FloatArray
from dense_reloc_ros.geometry.camera import Camera
from dense_reloc_ros.images.network_image import network_image, network_intrinsics
from dense_reloc_ros.images.pixels import as_rgb
from dense_reloc_ros.localization.localizer import Localizer, PoseCandidates, PreparedImage
from dense_reloc_ros.localization.method import Method
from dense_reloc_ros.localization.place_localizer import extractor_of_map
from dense_reloc_ros.localization.pose_prior import PosePrior
from dense_reloc_ros.localization.result import Localization, PoseEstimate, SceneCoordinates, Status
from dense_reloc_ros.retrieval.places import retrieve_places
from dense_reloc_ros.scene.scene_map import MapCalibration, SceneMap
from dense_reloc_ros.scene.validation import check_signature
from dense_reloc_ros.stopwatch import Stopwatch

SCORE_THRESHOLD = 0.2
"""Images of rendered rooms score 0.12 at most on maps of other rooms; on their own from 0.4 on."""
COVARIANCE_SCALE = 70.0
"""Factor on the covariance of independent cells, as neighbours err alike; from rendered rooms."""


@dataclass(frozen=True)
class MatchedFrame:
    """A localized image, and what helps to localize the next one of a video."""

    localization: Localization
    as_previous: PreviousFrame | None = None
    """None unless it is localized."""


class DsmLocalizer(Localizer):
    """Predicts the scene coordinates of an image, and finds its pose from them.

    The scene images are those that sparse-to-dense methods retrieve, by the map's own features. A
    prior pose is not used.
    """

    def __init__(
        self,
        scene_map: SceneMap,
        configuration: LocalizerConfiguration,
        device: torch.device,
        variant: Variant,
        matcher: SceneMatcher | None = None,
        extractor: FeatureExtractor | None = None,
    ) -> None:
        super().__init__(_uncalibrated(scene_map), configuration, device, variant)
        weights = configuration.dsm.weights
        self._matcher = matcher or open_scene_matcher(
            variant, device, Path(weights) if weights else None
        )
        self._views = KeyframeViews(scene_map, self._matcher, device)
        self._extractor = extractor or extractor_of_map(scene_map, configuration, device)
        check_signature(scene_map, self._extractor.signature)

    @property
    def score_threshold(self) -> float:
        """The configuration's, or else one that wrong poses in rendered rooms did not reach."""
        configured = self.configuration.verification.score_threshold
        return SCORE_THRESHOLD if configured is None else configured

    def localize(
        self,
        image: NDArray[np.uint8],
        camera: Camera,
        prior_T_map_camera: FloatArray | None = None,
        prior_covariance: FloatArray | None = None,
        up_in_camera: FloatArray | None = None,
    ) -> Localization:
        """As `Localizer.localize`, with the scene coordinates of the image."""
        return self.localize_after(None, image, camera).localization

    def localize_after(
        self, previous: PreviousFrame | None, image: NDArray[np.uint8], camera: Camera
    ) -> MatchedFrame:
        """Localizes an image of a video, with the help of an earlier one where there is one."""
        stopwatch = Stopwatch(self.device, self.max_frame_seconds)
        try:
            with stopwatch.stage("undistort"):
                image, camera = self.at_working_size(as_rgb(image), camera)
                undistorted, pinhole = camera.undistort(image), camera.pinhole()
            with torch.inference_mode():
                query, candidates = self._match(undistorted, pinhole, previous, stopwatch)
        except TimeLimitError as error:
            return MatchedFrame(Localization(Status.NO_CANDIDATES, str(error)))
        except RelocError as error:
            return MatchedFrame(Localization(Status.INVALID_INPUT, str(error)))
        localization = self.decide(candidates, stopwatch)
        previous = self._as_previous(query, localization, pinhole)
        return MatchedFrame(localization.shifted(self.scene_map.origin), previous)

    def estimate(self, query: PreparedImage, prior: PosePrior | None) -> PoseCandidates:
        """Features, retrieval, and for each place: scene coordinates and a pose."""
        return self._match(query.image, query.camera, None, query.stopwatch)[1]

    def _match(
        self,
        image: NDArray[np.uint8],
        camera: Camera,
        previous: PreviousFrame | None,
        stopwatch: Stopwatch,
    ) -> tuple[Pyramid, PoseCandidates]:
        """The feature pyramid of an undistorted image, and its pose in each place."""
        options = self.configuration.dsm
        size = self._matcher.image_size
        with stopwatch.stage("features"):
            features = self._extractor(image_to_tensor(image, self.device))
            query = self._matcher.pyramid(network_image(image, size, self.device))
        with stopwatch.stage("retrieval"):
            retrieval = self.configuration.retrieval.model_copy(
                update={"keyframes": options.scene_images}
            )
            places = retrieve_places(features, self.scene_map, retrieval)
        estimates = []
        intrinsics = network_intrinsics(camera, size)
        for keyframes in places:
            with stopwatch.stage("matching"):
                views = self._views.of(keyframes, options.cache_mb << 20)
            found = match_place(
                self._matcher, query, views, previous, intrinsics, options.threshold, stopwatch
            )
            estimate = self._estimate(found, keyframes, intrinsics)
            if estimate is not None:
                estimates.append(estimate)
        return query, PoseCandidates(estimates)

    def _estimate(
        self, found: PlaceMatch, keyframes: list[int], intrinsics: Tensor
    ) -> PoseEstimate | None:
        if found.pose is None:
            return None
        T_camera_map = found.pose.T_camera_map
        support = supporting_points(
            self.scene_map, keyframes, found.predictions[-1], T_camera_map, intrinsics
        )
        return PoseEstimate(
            T_map_camera=se3.inverse(T_camera_map.numpy()),
            covariance=found.pose.covariance.numpy() * COVARIANCE_SCALE,
            score=found.score,
            supporting_points=support.numpy(),
            keyframes=tuple(keyframes),
            coordinates=scene_coordinates(found.predictions),
        )

    def _as_previous(
        self, query: Pyramid, localization: Localization, camera: Camera
    ) -> PreviousFrame | None:
        T_map_camera = localization.T_map_camera
        if T_map_camera is None:
            return None
        intrinsics = network_intrinsics(camera, self._matcher.image_size)
        T_camera_map = torch.from_numpy(se3.inverse(T_map_camera))
        return PreviousFrame(
            query,
            T_camera_map[None].float().to(self.device),
            intrinsics[None].float().to(self.device),
        )


def scene_coordinates(predictions: Sequence[LevelPrediction]) -> SceneCoordinates:
    """What the network says about an image (B = 1), as arrays."""
    finest, coarsest = predictions[-1], predictions[0]
    return SceneCoordinates(
        points=finest.coordinates[0].permute(1, 2, 0).cpu().numpy(),
        certainty=finest.certainty[0].cpu().numpy(),
        candidates=coarsest.candidates[0].permute(0, 2, 3, 1).cpu().numpy(),
    )


def _uncalibrated(scene_map: SceneMap) -> SceneMap:
    """The map without what was fitted for the scores and covariances of other methods."""
    information = scene_map.information.model_copy(update={"calibration": MapCalibration()})
    return replace(scene_map, information=information)


def _method(variant: Variant, network: str) -> Method:
    def create(
        scene_map: SceneMap, configuration: LocalizerConfiguration, device: torch.device
    ) -> DsmLocalizer:
        return DsmLocalizer(scene_map, configuration, device, variant)

    description = f"scene coordinates by dense scene matching (DSM), {network}, LO-RANSAC"
    return Method(variant, "sparse_to_dense", "compact", description, create, "coordinates")


METHODS = (_method("dsm_compact", "small network"), _method("dsm", "network of the paper"))
