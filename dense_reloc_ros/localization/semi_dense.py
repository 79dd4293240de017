"""DeViLoc as a method: semi-dense matches with keyframes, lifted to points, joined, RANSAC-PnP.

It needs few points of a map, as keyframes with different views of a place triangulate it, and the
Point Inference Network guesses from few and noisy ones what depth the rest has.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dense_reloc_ros.configuration import LocalizerConfiguration
from dense_reloc_ros.deviloc.lifting import Reference, lifted_points
from dense_reloc_ros.deviloc.point_aggregation import (
    AggregatedPoints,
    LiftedPoints,
    along_rays,
    confidence_weighted,
)
from dense_reloc_ros.deviloc.point_inference import PointInference
from dense_reloc_ros.deviloc.reference_views import ReferenceViews, observed_pixels
from dense_reloc_ros.deviloc.semi_dense_pose import SemiDensePose, find_pose
from dense_reloc_ros.deviloc.weights import open_point_inference
from dense_reloc_ros.features.extractor import DenseFeatures, FeatureExtractor, image_to_tensor
from dense_reloc_ros.geometry import se3
from dense_reloc_ros.geometry.camera import Camera
from dense_reloc_ros.geometry.projection import project
from dense_reloc_ros.localization.localizer import Localizer, PoseCandidates, PreparedImage
from dense_reloc_ros.localization.method import Method
from dense_reloc_ros.localization.place_localizer import extractor_of_map
from dense_reloc_ros.localization.pose_prior import PosePrior
from dense_reloc_ros.localization.query_view import QueryView, magnified
from dense_reloc_ros.localization.result import FeatureView, PoseEstimate
from dense_reloc_ros.localization.view_choice import most_pixels
from dense_reloc_ros.matching.semi_dense import distinct_pixels, match_semi_dense, mutual_cells
from dense_reloc_ros.retrieval.index import nearest_keyframes
from dense_reloc_ros.scene.scene_map import MapCalibration, SceneMap
from dense_reloc_ros.scene.selection import all_observations
from dense_reloc_ros.scene.validation import check_signature

METHOD = "deviloc"
CANDIDATES = 2
"""Keyframes that are compared with the image for each that it is matched with."""
FEWEST_MATCHES = 8
"""That a keyframe must have to be a reference."""
BESIDE_PIXELS = 16.0
"""Distance from a supporting place at which the pose shows a point of the map that agrees ..."""
AGREEMENT = 0.1
"""... where their depths differ by no more than this share."""
SCORE_THRESHOLD = 0.3
"""On map frames of an office, with stretches of keyframes left out, poses that score more were
right, and wrong ones scored 0.06 at most. It is higher than these say, as views from farther away
had wrong poses above 0.1 (docs/concepts/semi_dense.md)."""
COVARIANCE_SCALE = 80.0
"""Factor on the covariance of independent places, as neighbours err alike; from the same frames."""


class DevilocLocalizer(Localizer):
    """Matches an image with keyframes' images; the points of the map only say how far things are.

    A prior pose is not used, and images are taken to be upright as the keyframes are.
    """

    def __init__(
        self,
        scene_map: SceneMap,
        configuration: LocalizerConfiguration,
        device: torch.device,
        network: PointInference | None = None,
        extractor: FeatureExtractor | None = None,
    ) -> None:
        super().__init__(_uncalibrated(scene_map), configuration, device, METHOD)
        options = configuration.deviloc
        weights = Path(options.weights) if options.weights else None
        signature = scene_map.information.signature
        self._network = network or open_point_inference(signature, device, weights)
        self._extractor = extractor or extractor_of_map(scene_map, configuration, device)
        check_signature(scene_map, self._extractor.signature)
        self._views = ReferenceViews(scene_map, self._extractor, options.cache_mb, METHOD)

    @property
    def score_threshold(self) -> float:
        """The configuration's, or else one that wrong poses rarely reach."""
        configured = self.configuration.verification.score_threshold
        return SCORE_THRESHOLD if configured is None else configured

    def estimate(self, query: PreparedImage, prior: PosePrior | None) -> PoseCandidates:
        """Features, references, matches with each, one point for each place, one pose."""
        image, camera, stopwatch = query.image, query.camera, query.stopwatch
        view = self.view_of(image, camera)
        with stopwatch.stage("features"):
            features = self._extractor(image_to_tensor(view.image, self.device))
        shown = FeatureView(view.camera, view.T_camera_view)
        with stopwatch.stage("retrieval"):
            keyframes = self.retrieve(features)
        with stopwatch.stage("matching"):
            points = self.match(features, keyframes)
        if points is None:
            return PoseCandidates([], features, shown)
        with stopwatch.stage("pose"):
            estimate = self.find_pose(points, view.camera, keyframes)
        return PoseCandidates([] if estimate is None else [estimate], features, shown)

    def view_of(self, image: NDArray[np.uint8], camera: Camera) -> QueryView:
        """The image at the scale of the keyframes."""
        focal_lengths = [one.focal_length for one in self.scene_map.cameras]
        factor = float(np.median(focal_lengths)) / camera.focal_length
        return magnified(QueryView.of(image, camera), factor, most_pixels(self.scene_map))

    def retrieve(
        self, features: DenseFeatures, excluded: frozenset[int] = frozenset()
    ) -> list[int]:
        """The keyframes with the most coarse matches among those most like an image."""
        count = self.configuration.deviloc.references
        descriptor = self.configuration.retrieval.descriptor
        nearest = nearest_keyframes(
            features, self.scene_map.retrieval, descriptor, CANDIDATES * count + len(excluded)
        )
        candidates = [k for k in nearest.tolist() if k not in excluded][: CANDIDATES * count]
        coarse = features.levels["coarse"]
        matches = {
            k: len(mutual_cells(coarse, self._views.features(k).levels["coarse"])[0])
            for k in candidates
        }
        candidates = [k for k in candidates if matches[k] >= FEWEST_MATCHES]
        return sorted(candidates, key=lambda k: -matches[k])[:count]

    def match(self, features: DenseFeatures, keyframes: Sequence[int]) -> AggregatedPoints | None:
        """The points of the places of an image that keyframes show, too; None without any."""
        pixels = distinct_pixels(features)
        lifted: list[LiftedPoints] = []
        for keyframe in keyframes:
            reference = self._reference(keyframe)
            if reference is None:
                continue
            matches = match_semi_dense(features, pixels, reference.features)
            if len(matches):
                lifted.append(lifted_points(self._network, reference, matches))
        if not lifted:
            return None
        options = self.configuration.deviloc
        aggregate = along_rays if options.aggregation == "rays" else confidence_weighted
        points = aggregate(LiftedPoints.joined(lifted), options.cell)
        return points.confident(options.least_confidence)

    def find_pose(
        self, points: AggregatedPoints, camera: Camera, keyframes: Sequence[int]
    ) -> PoseEstimate | None:
        """The pose that the points of places give."""
        intrinsics = torch.from_numpy(camera.intrinsics)
        found = find_pose(points, intrinsics, self.configuration.deviloc.threshold)
        if found is None:
            return None
        return PoseEstimate(
            T_map_camera=se3.inverse(found.T_camera_map.cpu().numpy()),
            covariance=found.covariance.cpu().numpy() * COVARIANCE_SCALE,
            score=found.score(camera.width, camera.height),
            supporting_points=self._supporting(found, keyframes, camera).numpy(),
            keyframes=tuple(keyframes),
            depth=found.median_depth,
        )

    def _reference(self, keyframe: int) -> Reference | None:
        features = self._views.features(keyframe)
        observed = observed_pixels(self.scene_map, keyframe, features)
        if observed is None:
            return None
        pose = self.scene_map.keyframe_poses[keyframe]
        return Reference(features, observed, self.scene_map.cameras[keyframe], pose)

    def _supporting(self, found: SemiDensePose, keyframes: Sequence[int], camera: Camera) -> Tensor:
        """The map's points (M,) that keyframes see and the pose shows beside supporting places."""
        indices = torch.unique(
            self.scene_map.observation_points[all_observations(self.scene_map, list(keyframes))]
        )
        points = self.scene_map.points[indices].double()
        intrinsics = torch.from_numpy(camera.intrinsics)
        pixels, in_camera = project(found.T_camera_map[None], points, intrinsics)
        distances, nearest = torch.cdist(pixels[0].nan_to_num(torch.inf), found.pixels).min(1)
        gaps = (points - found.points[nearest]).norm(dim=-1)
        limits = pixels.new_tensor([camera.width - 1, camera.height - 1])
        agrees = ((pixels[0] >= 0) & (pixels[0] <= limits)).all(-1)
        agrees &= (distances <= BESIDE_PIXELS) & (gaps <= AGREEMENT * in_camera[0, :, 2])
        supporting: Tensor = indices[agrees]
        return supporting


def _uncalibrated(scene_map: SceneMap) -> SceneMap:
    """The map without what was fitted for the scores and covariances of other methods."""
    information = scene_map.information.model_copy(update={"calibration": MapCalibration()})
    return replace(scene_map, information=information)


METHODS = (
    Method(
        METHOD,
        "sparse_to_dense",
        "compact",
        "semi-dense matches lifted to points and joined (DeViLoc), LO-RANSAC; for few points",
        DevilocLocalizer,
        "images",
    ),
)
