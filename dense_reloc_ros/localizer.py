"""One frame in, one Localization out: the steps of the papers, in their order."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dense_reloc_ros.configuration import LocalizerConfiguration
from dense_reloc_ros.devices import find_device
from dense_reloc_ros.errors import ConfigurationError, RelocError
from dense_reloc_ros.features.extractor import DenseFeatures, FeatureExtractor, image_to_tensor
from dense_reloc_ros.geometry import se3
from dense_reloc_ros.geometry.camera import Camera
from dense_reloc_ros.localization import FloatArray, Localization, PoseEstimate, Status
from dense_reloc_ros.matching.correlation import match_all
from dense_reloc_ros.methods import Method, create_extractor, find_method
from dense_reloc_ros.pose.covariance import pose_covariance
from dense_reloc_ros.pose.nre import estimate_nre
from dense_reloc_ros.pose.problem import FoundPose, PoseProblem
from dense_reloc_ros.pose.reprojection import estimate_reprojection, estimate_smoothed_reprojection
from dense_reloc_ros.pose.verification import verify
from dense_reloc_ros.retrieval.covisibility import covisibility_clusters
from dense_reloc_ros.retrieval.distinct_views import distinct_views
from dense_reloc_ros.retrieval.evidence import distinctiveness, rank_by_evidence
from dense_reloc_ros.retrieval.index import nearest_keyframes
from dense_reloc_ros.scene.reader import load_map
from dense_reloc_ros.scene.scene_map import SceneMap
from dense_reloc_ros.scene.selection import all_observations, best_observations
from dense_reloc_ros.scene.validation import check_signature
from dense_reloc_ros.stopwatch import Stopwatch

LOGGER = logging.getLogger(__name__)
DEFAULT_TEMPERATURES = {"coarse": 0.05, "fine": 0.01}
"""Of maps that are not calibrated."""
DEFAULT_SCORE_THRESHOLD = 0.3
"""Of maps that are not calibrated: somewhat above what wrong poses reach on calibrated ones."""


class Localizer(ABC):
    """Localizes images against one map; `configuration` may be exchanged between two frames."""

    def __init__(
        self,
        scene_map: SceneMap,
        configuration: LocalizerConfiguration,
        method: Method,
        device: torch.device,
    ) -> None:
        self.scene_map = scene_map
        self.configuration = configuration
        self.device = device
        self._method = method

    @property
    def method(self) -> str:
        """The name of the method."""
        return self._method.name

    @staticmethod
    def open(
        map_path: Path,
        configuration: LocalizerConfiguration,
        method: str | None = None,
        device: str = "auto",
    ) -> Localizer:
        """Reads a map folder and makes the localizer for it.

        `method` None is the one the map was made for; `device` is auto, cpu, cuda or cuda:N.

        Raises:
            MapError: a map that cannot be used, or not with this method.
            ConfigurationError: an unknown method or a device that is not there.
        """
        scene_map = load_map(map_path)
        return localizer_for(scene_map, configuration, method, find_device(device))

    def localize(
        self,
        image: NDArray[np.uint8],
        camera: Camera,
        prior_T_map_camera: FloatArray | None = None,
    ) -> Localization:
        """Where `image` (H, W, 3) RGB of `camera` (may be distorted) was taken.

        A prior pose (4, 4) is tried besides what the image itself suggests. What is wrong with an
        image is the reason of the result, not an exception.
        """
        stopwatch = Stopwatch(self.device)
        try:
            with stopwatch.stage("undistort"):
                undistorted = camera.undistort(image)
            with torch.inference_mode():
                estimates = self.estimate(
                    undistorted, camera.pinhole(), prior_T_map_camera, stopwatch
                )
        except RelocError as error:
            return Localization(Status.INVALID_INPUT, str(error))
        if not estimates:
            reason = "too little of the map matches the image"
            return Localization(Status.NO_CANDIDATES, reason, None, stopwatch.milliseconds)
        best = max(estimates, key=lambda estimate: estimate.score)
        if best.score < self.score_threshold:
            reason = f"score {best.score:.2f} is below the threshold {self.score_threshold:.2f}"
            return Localization(Status.REJECTED, reason, best, stopwatch.milliseconds)
        return Localization(Status.LOCALIZED, "", best, stopwatch.milliseconds)

    @property
    def score_threshold(self) -> float:
        """Poses that score lower are rejected: the configuration's or else the map's own."""
        configured = self.configuration.verification.score_threshold
        calibrated = self.scene_map.information.calibration.score_threshold
        if configured is not None:
            return configured
        return calibrated if calibrated is not None else DEFAULT_SCORE_THRESHOLD

    @abstractmethod
    def estimate(
        self,
        image: NDArray[np.uint8],
        camera: Camera,
        prior_T_map_camera: FloatArray | None,
        stopwatch: Stopwatch,
    ) -> list[PoseEstimate]:
        """The best pose at each place that the image may show; none where nothing matches."""


class SparseToDenseLocalizer(Localizer):
    """S2DHM, RE and NRE: map points against every pixel of the query's dense features."""

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
        self.extractor = extractor or create_extractor(network, device)
        check_signature(scene_map, self.extractor.signature)
        calibrated = scene_map.information.calibration.temperatures
        self.temperatures = DEFAULT_TEMPERATURES | calibrated

    def estimate(
        self,
        image: NDArray[np.uint8],
        camera: Camera,
        prior_T_map_camera: FloatArray | None,
        stopwatch: Stopwatch,
    ) -> list[PoseEstimate]:
        """Features, retrieval, and for each place: matching, pose, verification."""
        with stopwatch.stage("features"):
            features = self.extractor(image_to_tensor(image, self.device))
        with stopwatch.stage("retrieval"):
            places = self.retrieve(features)
        return self.estimate_in(places, features, camera, prior_T_map_camera, stopwatch)

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
        options = self.configuration.matching
        observations = all_observations(self.scene_map, keyframes)
        quality = distinctiveness(
            features, self.scene_map, observations, self.temperatures["coarse"]
        )
        observations = best_observations(self.scene_map, observations, quality, options.points)
        point_indices = self.scene_map.observation_points[observations]
        coarse, fine = features.levels["coarse"], features.levels["fine"]
        descriptors = {
            name: values[observations].to(self.device, torch.float32)
            for name, values in self.scene_map.descriptors.items()
        }
        problem = PoseProblem(
            points=self.scene_map.points[point_indices].to(self.device),
            intrinsics=torch.tensor(
                [camera.fx, camera.fy, camera.cx, camera.cy], device=self.device
            ),
            log_coarse=match_all(
                descriptors["coarse"], coarse, self.temperatures["coarse"], options.memory_mb << 20
            ),
            coarse_level=coarse,
            fine_descriptors=descriptors["fine"],
            fine_level=fine,
            fine_temperature=self.temperatures["fine"],
        )
        return point_indices, problem

    def find_pose(
        self, problem: PoseProblem, prior_T_map_camera: FloatArray | None
    ) -> FoundPose | None:
        """The pose by the method's estimator."""
        if self._method.estimator == "re":
            return estimate_reprojection(problem, self.configuration)
        if self._method.estimator == "re_smoothed":
            return estimate_smoothed_reprojection(problem, self.configuration)
        prior = None
        if prior_T_map_camera is not None:
            prior = torch.from_numpy(se3.inverse(prior_T_map_camera)).to(problem.points)
        return estimate_nre(problem, self.configuration.nre, prior)

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


def localizer_for(
    scene_map: SceneMap,
    configuration: LocalizerConfiguration,
    method: str | None,
    device: torch.device,
) -> Localizer:
    """The localizer of a method (by default the one the map was made for) on a loaded map.

    Raises:
        MapError: the map's features are not those of the method.
        ConfigurationError: an unknown method, or one that the map is not made for.
    """
    kind = scene_map.information.signature.method
    name = method or ("sift_pnp" if kind == "sparse_to_sparse" else "nre")
    chosen = find_method(name)
    if chosen.kind != kind:
        raise ConfigurationError(f"method '{name}' needs a {chosen.kind} map; this one is {kind}")
    if chosen.kind == "sparse_to_sparse":
        from dense_reloc_ros.sift_pnp import SiftPnpLocalizer

        return SiftPnpLocalizer(scene_map, configuration, chosen, device)
    return SparseToDenseLocalizer(scene_map, configuration, chosen, device)
