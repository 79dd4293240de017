"""Poses in a place of the map: the points of some keyframes against every pixel of an image."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from dense_reloc_ros.configuration import LocalizerConfiguration
from dense_reloc_ros.devices import to_processor
from dense_reloc_ros.features.extractor import DenseFeatures, FeatureExtractor
from dense_reloc_ros.features.extractors import create_extractor
from dense_reloc_ros.geometry import se3
from dense_reloc_ros.geometry.arrays import FloatArray
from dense_reloc_ros.geometry.camera import Camera
from dense_reloc_ros.geometry.rig import cameras_of
from dense_reloc_ros.localization.estimators import ESTIMATORS
from dense_reloc_ros.localization.localizer import Localizer
from dense_reloc_ros.localization.point_choice import DISTINCTIVE, PointChoice
from dense_reloc_ros.localization.result import PointLosses, PoseEstimate
from dense_reloc_ros.matching.correlation import match_all
from dense_reloc_ros.pose.compilation import compile_steps
from dense_reloc_ros.pose.covariance import inflation, pose_covariance
from dense_reloc_ros.pose.nre import refine_fine
from dense_reloc_ros.pose.problem import FoundPose, PoseProblem
from dense_reloc_ros.pose.verification import Verification, evidence_of, verify
from dense_reloc_ros.retrieval.index import ready_to_search
from dense_reloc_ros.retrieval.nearest_poses import view_distances
from dense_reloc_ros.scene.scene_map import SceneMap
from dense_reloc_ros.scene.selection import all_observations, best_observations
from dense_reloc_ros.scene.validation import check_signature
from dense_reloc_ros.stopwatch import Stopwatch

NOTHING_ALIKE = 100.0
"""How much the view of a pose that sees nothing differs: too much to believe it, but finite, as the
covariance then is."""
DEFAULT_TEMPERATURES = {"coarse": 0.05, "fine": 0.01}
"""Of maps that are not calibrated."""


class PlaceLocalizer(Localizer):
    """Finds poses in places that others choose, and what speaks for each of them."""

    def __init__(
        self,
        scene_map: SceneMap,
        configuration: LocalizerConfiguration,
        device: torch.device,
        method: str,
        extractor: FeatureExtractor | None = None,
    ) -> None:
        searched = ready_to_search(scene_map.retrieval, device)
        scene_map = replace(scene_map, retrieval=searched)
        super().__init__(scene_map, configuration, device, method)
        self.extractor = extractor or extractor_of_map(scene_map, configuration, device)
        check_signature(scene_map, self.extractor.signature)
        compile_steps()
        calibrated = scene_map.information.calibration.temperatures
        self.temperatures = DEFAULT_TEMPERATURES | calibrated

    def estimate_in(
        self,
        places: list[list[int]],
        features: DenseFeatures,
        camera: Camera,
        prior_T_map_camera: FloatArray | None,
        stopwatch: Stopwatch,
        choice: PointChoice = DISTINCTIVE,
    ) -> list[PoseEstimate]:
        """The best pose in each place, a list of keyframes, by the points that `choice` says."""
        estimates = []
        for keyframes in places:
            with stopwatch.stage("matching"):
                point_indices, problem = self.match(features, keyframes, camera, choice)
            with stopwatch.stage("pose"):
                found = self.find_pose(problem, prior_T_map_camera)
            if found is None:
                continue
            with stopwatch.stage("verification"):
                estimates.append(self.verified(problem, found, point_indices, keyframes, camera))
        return estimates

    def estimate_near(
        self,
        T_map_camera: FloatArray,
        keyframes: list[int],
        features: DenseFeatures,
        camera: Camera,
        stopwatch: Stopwatch,
    ) -> PoseEstimate | None:
        """The pose in the windows round one (4, 4), by the points of some keyframes."""
        with stopwatch.stage("matching"):
            point_indices, problem = self.match(features, keyframes, camera)
        with stopwatch.stage("pose"):
            T_camera_map = torch.from_numpy(se3.inverse(T_map_camera)).to(problem.points)
            found = refine_fine(problem, T_camera_map[None], self.configuration.nre)
        if found is None:
            return None
        with stopwatch.stage("verification"):
            return self.verified(problem, found, point_indices, keyframes, camera)

    def match(
        self,
        features: DenseFeatures,
        keyframes: list[int],
        camera: Camera,
        choice: PointChoice = DISTINCTIVE,
        most_points: int | None = None,
    ) -> tuple[Tensor, PoseProblem]:
        """Correspondence maps of chosen points of some keyframes; the points' indices."""
        observations = self.select(features, keyframes, choice, most_points)
        point_indices = self.scene_map.observation_points[observations]
        descriptors = self.descriptors(observations)
        return point_indices, self.problem(features, camera, point_indices, descriptors)

    def select(
        self,
        features: DenseFeatures,
        keyframes: list[int],
        choice: PointChoice = DISTINCTIVE,
        most_points: int | None = None,
    ) -> Tensor:
        """The observations (M,) of the keyframes' chosen points, one for each point.

        As many as are configured, or else `most_points`.
        """
        observations = choice.among(all_observations(self.scene_map, keyframes))
        quality = choice.quality(
            features, self.scene_map, observations, self.temperatures["coarse"]
        )
        points = most_points or self.configuration.matching.points
        return best_observations(self.scene_map, observations, quality, points)

    def descriptors(self, observations: Tensor) -> dict[str, Tensor]:
        """The descriptors (M, C) of observations (M,) at each level, on the processor."""
        levels = self.scene_map.descriptors
        return {name: values[observations].float() for name, values in levels.items()}

    def problem(
        self,
        features: DenseFeatures,
        camera: Camera,
        point_indices: Tensor,
        descriptors: Mapping[str, Tensor],
    ) -> PoseProblem:
        """Map points (M,) correlated by descriptors (M, C) of each level with the image.

        The problem is the processor's, where poses are found.
        """
        coarse, fine = features.levels["coarse"], features.levels["fine"]
        memory = self.configuration.matching.memory_mb << 20
        correspondences = descriptors["coarse"].to(self.device)
        log_coarse, coarse_values, fine_values = to_processor(
            match_all(correspondences, coarse, self.temperatures["coarse"], memory),
            coarse.values,
            fine.values,
        )
        return PoseProblem(
            points=self.scene_map.points[point_indices],
            intrinsics=torch.tensor([camera.fx, camera.fy, camera.cx, camera.cy]),
            log_coarse=log_coarse,
            coarse_descriptors=descriptors["coarse"],
            coarse_level=replace(coarse, values=coarse_values),
            fine_descriptors=descriptors["fine"],
            fine_level=replace(fine, values=fine_values),
            fine_temperature=self.temperatures["fine"],
        )

    def find_pose(
        self, problem: PoseProblem, prior_T_map_camera: FloatArray | None
    ) -> FoundPose | None:
        """The pose by the method's estimator; a prior is tried besides."""
        prior = None
        if prior_T_map_camera is not None:
            prior = torch.from_numpy(se3.inverse(prior_T_map_camera)).to(problem.points)
        return ESTIMATORS[self.method](problem, self.configuration, prior)

    def verified(
        self,
        problem: PoseProblem,
        found: FoundPose,
        point_indices: Tensor,
        keyframes: list[int],
        camera: Camera,
    ) -> PoseEstimate:
        """The pose with its covariance, its score and the evidence for it."""
        verification = verify(problem, found, [(camera.width, camera.height)])
        T_map_camera = pose_of(found)
        depth = verification.median_depth
        view_change = self.view_change(T_map_camera, keyframes, depth)
        inflations = inflation(verification.spread_share, view_change)
        return self.supported(
            problem, found, verification, point_indices, keyframes, view_change, inflations
        )

    def supported(
        self,
        problem: PoseProblem,
        found: FoundPose,
        verification: Verification,
        point_indices: Tensor,
        keyframes: list[int],
        view_change: float,
        inflations: Tensor | float,
    ) -> PoseEstimate:
        """A verified pose, whose view differs by so much from that of the keyframes.

        `inflations` of its covariance are those of all points, or (M,) of each.
        """
        if isinstance(inflations, Tensor):
            inflations = inflations[found.points]
        common = pose_covariance(
            found.T_camera_map,
            problem.points[found.points],
            cameras_of(found.points, problem.intrinsics),
            found.fine_maps,
            self.configuration.nre.last_sigma,
            inflations,
        ).numpy(force=True)
        calibration = self.scene_map.information.calibration
        return PoseEstimate(
            T_map_camera=pose_of(found),
            covariance=common * calibration.covariance_factor,
            score=verification.score,
            supporting_points=point_indices[verification.supporting].numpy(),
            keyframes=tuple(keyframes),
            evidence=evidence_of(verification, common, view_change),
            depth=verification.median_depth,
            losses=losses_of(verification, point_indices),
        )

    def view_change(self, T_map_camera: FloatArray, keyframes: list[int], depth: float) -> float:
        """How much a pose's view differs from that of the nearest of some keyframes."""
        if depth <= 0:
            return NOTHING_ALIKE
        poses = self.scene_map.keyframe_poses[keyframes]
        return float(view_distances(poses, torch.from_numpy(T_map_camera), depth).min())


def pose_of(found: FoundPose) -> FloatArray:
    """T_map_camera (4, 4) of a found pose."""
    T_camera_map = found.T_camera_map.double().cpu().numpy()
    rotation = se3.project_to_so3(T_camera_map[:3, :3])
    return se3.inverse(se3.rigid(rotation, T_camera_map[:3, 3]))


def losses_of(verification: Verification, point_indices: Tensor) -> PointLosses:
    """The losses of those of the points (M,) that a pose puts into the image."""
    inside = verification.inside
    losses = 1 - verification.gains[inside].clamp(0, 1)
    return PointLosses(point_indices[inside].numpy(), losses.numpy())


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
