"""S2DHM, RE and NRE: the steps of the papers, in their order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dense_reloc_ros.configuration import LocalizerConfiguration
from dense_reloc_ros.features.extractor import DenseFeatures, FeatureExtractor, image_to_tensor
from dense_reloc_ros.features.extractors import create_extractor
from dense_reloc_ros.geometry import se3
from dense_reloc_ros.geometry.arrays import FloatArray
from dense_reloc_ros.geometry.camera import Camera
from dense_reloc_ros.localization.estimators import ESTIMATORS
from dense_reloc_ros.localization.localizer import Localizer, PoseCandidates
from dense_reloc_ros.localization.method import Method
from dense_reloc_ros.localization.query_view import QueryView
from dense_reloc_ros.localization.result import PoseEstimate
from dense_reloc_ros.localization.view_search import LocalizedView, ViewSearch
from dense_reloc_ros.matching.correlation import match_all
from dense_reloc_ros.pose.covariance import inflation, pose_covariance
from dense_reloc_ros.pose.problem import FoundPose, PoseProblem
from dense_reloc_ros.pose.verification import evidence_of, verify
from dense_reloc_ros.retrieval.local_evidence import distinctiveness
from dense_reloc_ros.retrieval.look_alikes import in_sight, look_alikes
from dense_reloc_ros.retrieval.nearest_poses import view_distances
from dense_reloc_ros.retrieval.overlap import better_keyframes
from dense_reloc_ros.retrieval.places import place_evidence, retrieve_places
from dense_reloc_ros.scene.scene_map import SceneMap
from dense_reloc_ros.scene.selection import all_observations, best_observations
from dense_reloc_ros.scene.validation import check_signature
from dense_reloc_ros.stopwatch import Stopwatch

CLEAR_SCORE = 0.75
"""Poses that score more are not looked at again."""
DEFAULT_TEMPERATURES = {"coarse": 0.05, "fine": 0.01}
"""Of maps that are not calibrated."""


class SparseToDenseLocalizer(Localizer):
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
    ) -> None:
        super().__init__(scene_map, configuration, device, method)
        self._estimator = ESTIMATORS[method]
        self.extractor = extractor or extractor_of_map(scene_map, configuration, device)
        check_signature(scene_map, self.extractor.signature)
        calibrated = scene_map.information.calibration.temperatures
        self.temperatures = DEFAULT_TEMPERATURES | calibrated

    def estimate(
        self,
        image: NDArray[np.uint8],
        camera: Camera,
        prior_T_map_camera: FloatArray | None,
        stopwatch: Stopwatch,
    ) -> PoseCandidates:
        """The poses in the view of the image that is most like the keyframes."""

        def localize(view: QueryView) -> LocalizedView:
            return self.estimate_view(view, prior_T_map_camera, stopwatch)

        def evidence_in(view: QueryView) -> float:
            with stopwatch.stage("view"):
                features = self.extractor(image_to_tensor(view.image, self.device))
                return place_evidence(features, self.scene_map, self.configuration.retrieval)

        search = ViewSearch(self.scene_map, localize, evidence_in, self.is_sure)
        found = search(image, camera, prior_T_map_camera)
        rivals = self.estimate_rivals(found, stopwatch)
        return replace(found, estimates=[*found.estimates, *rivals]).candidates()

    def estimate_view(
        self, view: QueryView, prior_T_map_camera: FloatArray | None, stopwatch: Stopwatch
    ) -> LocalizedView:
        """Features, retrieval and the best pose in each place."""
        prior = None if prior_T_map_camera is None else prior_T_map_camera @ view.T_camera_view
        with stopwatch.stage("features"):
            features = self.extractor(image_to_tensor(view.image, self.device))
        with stopwatch.stage("retrieval"):
            places = self.retrieve(features)
        estimates = self.estimate_in(places, features, view.camera, prior, stopwatch)
        if not any(self.is_sure(estimate) for estimate in estimates):
            with stopwatch.stage("retrieval"):
                places = self.retrieve_more(features, places)
            estimates += self.estimate_in(places, features, view.camera, prior, stopwatch)
        estimates += self.estimate_guided(estimates, features, view.camera, stopwatch)
        return LocalizedView(view, features, estimates)

    def estimate_in(
        self,
        places: list[list[int]],
        features: DenseFeatures,
        camera: Camera,
        prior_T_map_camera: FloatArray | None,
        stopwatch: Stopwatch,
        excluded: Tensor | None = None,
    ) -> list[PoseEstimate]:
        """The best pose in each place, a list of keyframes, without points `excluded` (P,)."""
        estimates = []
        for keyframes in places:
            with stopwatch.stage("matching"):
                point_indices, problem = self.match(features, keyframes, camera, excluded)
            with stopwatch.stage("pose"):
                found = self.find_pose(problem, prior_T_map_camera)
            if found is None:
                continue
            with stopwatch.stage("verification"):
                estimates.append(self.verified(problem, found, point_indices, keyframes, camera))
        return estimates

    def is_sure(self, estimate: PoseEstimate) -> bool:
        """Whether a pose needs no further search: it would be believed by what speaks for it."""
        confidence = self.judged(estimate).confidence or 0.0
        return confidence >= self.configuration.verification.least_confidence

    def retrieve(
        self, features: DenseFeatures, excluded: frozenset[int] = frozenset()
    ) -> list[list[int]]:
        """Keyframes that the query may show, but those excluded: one or more places, best first."""
        return retrieve_places(features, self.scene_map, self.configuration.retrieval, excluded)

    def retrieve_more(self, features: DenseFeatures, tried: list[list[int]]) -> list[list[int]]:
        """As many places again, among twice as many keyframes, that have none of those tried."""
        options = self.configuration.retrieval
        wider = options.model_copy(
            update={"keyframes": 2 * options.keyframes, "clusters": 2 * options.clusters}
        )
        known = {keyframe for place in tried for keyframe in place}
        places = retrieve_places(features, self.scene_map, wider)
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
            similar = look_alikes(
                found.features,
                self.scene_map,
                self.configuration.retrieval,
                best.T_map_camera,
                camera,
            )
            seen = in_sight(self.scene_map.points, best.T_map_camera, camera) if similar else None
        if seen is None:
            return []
        return self.estimate_in([similar], found.features, camera, None, stopwatch, seen)

    def match(
        self,
        features: DenseFeatures,
        keyframes: list[int],
        camera: Camera,
        excluded: Tensor | None = None,
    ) -> tuple[Tensor, PoseProblem]:
        """Correspondence maps of the most distinctive points of some keyframes; their indices.

        Points of the map that are `excluded` (P,) bool are not among them.
        """
        observations = self.select(features, keyframes, excluded)
        point_indices = self.scene_map.observation_points[observations]
        descriptors = self.descriptors(observations)
        return point_indices, self.problem(features, camera, point_indices, descriptors)

    def select(
        self, features: DenseFeatures, keyframes: list[int], excluded: Tensor | None = None
    ) -> Tensor:
        """The observations (M,) of the keyframes' most distinctive points, one for each point."""
        observations = all_observations(self.scene_map, keyframes)
        if excluded is not None:
            observations = observations[~excluded[self.scene_map.observation_points[observations]]]
        quality = distinctiveness(
            features, self.scene_map, observations, self.temperatures["coarse"]
        )
        points = self.configuration.matching.points
        return best_observations(self.scene_map, observations, quality, points)

    def descriptors(self, observations: Tensor) -> dict[str, Tensor]:
        """The descriptors (M, C) of observations (M,) at each level."""
        return {
            name: values[observations].to(self.device, torch.float32)
            for name, values in self.scene_map.descriptors.items()
        }

    def problem(
        self,
        features: DenseFeatures,
        camera: Camera,
        point_indices: Tensor,
        descriptors: Mapping[str, Tensor],
    ) -> PoseProblem:
        """Map points (M,) correlated by descriptors (M, C) of each level with the image."""
        coarse, fine = features.levels["coarse"], features.levels["fine"]
        memory = self.configuration.matching.memory_mb << 20
        return PoseProblem(
            points=self.scene_map.points[point_indices].to(self.device),
            intrinsics=torch.tensor(
                [camera.fx, camera.fy, camera.cx, camera.cy], device=self.device
            ),
            log_coarse=match_all(
                descriptors["coarse"], coarse, self.temperatures["coarse"], memory
            ),
            coarse_descriptors=descriptors["coarse"],
            coarse_level=coarse,
            fine_descriptors=descriptors["fine"],
            fine_level=fine,
            fine_temperature=self.temperatures["fine"],
        )

    def find_pose(
        self, problem: PoseProblem, prior_T_map_camera: FloatArray | None
    ) -> FoundPose | None:
        """The pose by the method's estimator; a prior is tried besides."""
        prior = None
        if prior_T_map_camera is not None:
            prior = torch.from_numpy(se3.inverse(prior_T_map_camera)).to(problem.points)
        return self._estimator(problem, self.configuration, prior)

    def verified(
        self,
        problem: PoseProblem,
        found: FoundPose,
        point_indices: Tensor,
        keyframes: list[int],
        camera: Camera,
    ) -> PoseEstimate:
        """The pose with its covariance, its score and the evidence for it."""
        verification = verify(problem, found, camera.width, camera.height)
        covariance = pose_covariance(
            found.T_camera_map,
            problem.points[found.points],
            problem.intrinsics,
            found.fine_maps.sparse(),
            self.configuration.nre.last_sigma,
        )
        T_camera_map = found.T_camera_map.double().cpu().numpy()
        T_map_camera = se3.inverse(
            se3.rigid(se3.project_to_so3(T_camera_map[:3, :3]), T_camera_map[:3, 3])
        )
        view_change = self._view_change(T_map_camera, keyframes, verification.median_depth)
        common = covariance.cpu().numpy() * inflation(verification.spread_share, view_change)
        calibration = self.scene_map.information.calibration
        return PoseEstimate(
            T_map_camera=T_map_camera,
            covariance=common * calibration.covariance_factor,
            score=verification.score,
            supporting_points=point_indices[verification.supporting.cpu()].numpy(),
            keyframes=tuple(keyframes),
            evidence=evidence_of(verification, common, view_change),
            depth=verification.median_depth,
        )

    def _view_change(self, T_map_camera: FloatArray, keyframes: list[int], depth: float) -> float:
        """How much a pose's view differs from that of the nearest of some keyframes."""
        if depth <= 0:
            return float("inf")
        poses = self.scene_map.keyframe_poses[keyframes]
        return float(view_distances(poses, torch.from_numpy(T_map_camera), depth).min())


def extractor_of_map(
    scene_map: SceneMap, configuration: LocalizerConfiguration, device: torch.device
) -> FeatureExtractor:
    """The features that a map was built with.

    Raises:
        ConfigurationError: an unknown network, or its weights are missing or wrong.
    """
    weights = configuration.features.weights
    network = scene_map.information.signature.network
    return create_extractor(network, device, Path(weights) if weights else None)


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
