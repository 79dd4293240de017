"""S2DHM, RE and NRE: the steps of the papers, in their order."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dense_reloc_ros.configuration import LocalizerConfiguration
from dense_reloc_ros.features.extractor import DenseFeatures, FeatureExtractor, image_to_tensor
from dense_reloc_ros.geometry import se3
from dense_reloc_ros.geometry.camera import Camera
from dense_reloc_ros.localization.localizer import Findings, Localizer
from dense_reloc_ros.localization.methods import Method, create_extractor
from dense_reloc_ros.localization.result import FloatArray, PoseEstimate
from dense_reloc_ros.matching.correlation import match_all
from dense_reloc_ros.pose.covariance import pose_covariance
from dense_reloc_ros.pose.feature_metric import refine_by_features
from dense_reloc_ros.pose.nre import estimate_nre, estimate_nre_coarse
from dense_reloc_ros.pose.problem import FoundPose, PoseProblem
from dense_reloc_ros.pose.reprojection import estimate_reprojection, estimate_smoothed_reprojection
from dense_reloc_ros.pose.verification import verify
from dense_reloc_ros.retrieval.covisibility import covisibility_clusters
from dense_reloc_ros.retrieval.distinct_views import distinct_views
from dense_reloc_ros.retrieval.evidence import distinctiveness, rank_by_evidence
from dense_reloc_ros.retrieval.index import nearest_keyframes
from dense_reloc_ros.scene.scene_map import SceneMap
from dense_reloc_ros.scene.selection import all_observations, best_observations
from dense_reloc_ros.scene.validation import check_signature
from dense_reloc_ros.stopwatch import Stopwatch

DEFAULT_TEMPERATURES = {"coarse": 0.05, "fine": 0.01}
"""Of maps that are not calibrated."""


class SparseToDenseLocalizer(Localizer):
    """Map points against every pixel of the query's dense features."""

    def __init__(
        self,
        scene_map: SceneMap,
        configuration: LocalizerConfiguration,
        method: Method,
        device: torch.device,
        extractor: FeatureExtractor | None = None,
    ) -> None:
        super().__init__(scene_map, configuration, method, device)
        network = scene_map.information.signature.network
        weights = configuration.features.weights
        self.extractor = extractor or create_extractor(
            network, device, Path(weights) if weights else None
        )
        check_signature(scene_map, self.extractor.signature)
        calibrated = scene_map.information.calibration.temperatures
        self.temperatures = DEFAULT_TEMPERATURES | calibrated

    def estimate(
        self,
        image: NDArray[np.uint8],
        camera: Camera,
        prior_T_map_camera: FloatArray | None,
        stopwatch: Stopwatch,
    ) -> Findings:
        """Features, retrieval, and for each place: matching, pose, verification."""
        with stopwatch.stage("features"):
            features = self.extractor(image_to_tensor(image, self.device))
        with stopwatch.stage("retrieval"):
            places = self.retrieve(features)
        estimates = self.estimate_in(places, features, camera, prior_T_map_camera, stopwatch)
        return Findings(estimates, features)

    def estimate_in(
        self,
        places: list[list[int]],
        features: DenseFeatures,
        camera: Camera,
        prior_T_map_camera: FloatArray | None,
        stopwatch: Stopwatch,
    ) -> list[PoseEstimate]:
        """The best pose in each place, a list of keyframes."""
        estimates = []
        for keyframes in places:
            with stopwatch.stage("matching"):
                point_indices, problem = self.match(features, keyframes, camera)
            with stopwatch.stage("pose"):
                found = self.find_pose(problem, prior_T_map_camera)
            if found is None:
                continue
            with stopwatch.stage("verification"):
                estimates.append(self.judge(problem, found, point_indices, keyframes, camera))
        return estimates

    def retrieve(
        self, features: DenseFeatures, excluded: frozenset[int] = frozenset()
    ) -> list[list[int]]:
        """Keyframes that the query may show, as one or more places, the likeliest first.

        Those `excluded` are not among them: so the map's own images can be used as queries.
        """
        options = self.configuration.retrieval
        candidates = nearest_keyframes(
            features,
            self.scene_map.retrieval,
            options.descriptor,
            options.candidates + len(excluded),
        )
        candidates = candidates[[k not in excluded for k in candidates.tolist()]]
        if not len(candidates):
            return []
        ranked, _ = rank_by_evidence(features, self.scene_map, candidates, options.evidence_points)
        best = distinct_views(
            self.scene_map, ranked.tolist(), options.keyframes, options.baseline_share
        )
        return covisibility_clusters(self.scene_map, best, options.common_points)[
            : options.clusters
        ]

    def match(
        self, features: DenseFeatures, keyframes: list[int], camera: Camera
    ) -> tuple[Tensor, PoseProblem]:
        """Correspondence maps of the most distinctive points of some keyframes; their indices."""
        observations = self.select(features, keyframes)
        point_indices = self.scene_map.observation_points[observations]
        descriptors = self.descriptors(observations)
        return point_indices, self.problem(features, camera, point_indices, descriptors)

    def select(self, features: DenseFeatures, keyframes: list[int]) -> Tensor:
        """The observations (M,) of the keyframes' most distinctive points, one for each point."""
        observations = all_observations(self.scene_map, keyframes)
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
        """The pose by the method's estimator, refined where the method says so."""
        found = self._first_pose(problem, prior_T_map_camera)
        if found is None or not self._method.is_refined_by_features:
            return found
        return refine_by_features(problem, found, self.configuration.feature_metric)

    def _first_pose(
        self, problem: PoseProblem, prior_T_map_camera: FloatArray | None
    ) -> FoundPose | None:
        if self._method.estimator == "re":
            return estimate_reprojection(problem, self.configuration)
        if self._method.estimator == "re_smoothed":
            return estimate_smoothed_reprojection(problem, self.configuration)
        prior = None
        if prior_T_map_camera is not None:
            prior = torch.from_numpy(se3.inverse(prior_T_map_camera)).to(problem.points)
        estimate = estimate_nre_coarse if self._method.estimator == "nre_coarse" else estimate_nre
        return estimate(problem, self.configuration.nre, prior)

    def judge(
        self,
        problem: PoseProblem,
        found: FoundPose,
        point_indices: Tensor,
        keyframes: list[int],
        camera: Camera,
    ) -> PoseEstimate:
        """The pose with its covariance and its score."""
        verdict = verify(problem, found, camera.width, camera.height)
        covariance = pose_covariance(
            found.T_camera_map,
            problem.points[found.points],
            problem.intrinsics,
            found.fine_maps.sparse(),
            self.configuration.nre.last_sigma,
        )
        scale = self.scene_map.information.calibration.covariance_scale
        T_camera_map = found.T_camera_map.double().cpu().numpy()
        return PoseEstimate(
            T_map_camera=se3.inverse(
                se3.rigid(se3.project_to_so3(T_camera_map[:3, :3]), T_camera_map[:3, 3])
            ),
            covariance=covariance.cpu().numpy() * scale,
            score=verdict.score,
            supporting_points=point_indices[verdict.supporting.cpu()].numpy(),
            keyframes=tuple(keyframes),
        )
