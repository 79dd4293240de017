"""The classical reference: RootSIFT on both sides, mutual nearest neighbours, LO-RANSAC."""

from __future__ import annotations

import cv2
import numpy as np
import torch
from torch import Tensor

from dense_reloc_ros.configuration import LocalizerConfiguration
from dense_reloc_ros.features.preprocess import brighten_if_noisy
from dense_reloc_ros.features.root_sift import LEVEL, SIGNATURE, detect_root_sift
from dense_reloc_ros.features.vlad import vlad
from dense_reloc_ros.geometry import se3
from dense_reloc_ros.geometry.camera import Camera
from dense_reloc_ros.geometry.projection import project
from dense_reloc_ros.localization.localizer import Localizer, PoseCandidates, PreparedImage
from dense_reloc_ros.localization.method import Method
from dense_reloc_ros.localization.pose_prior import PosePrior
from dense_reloc_ros.localization.result import PoseEstimate
from dense_reloc_ros.matching.mutual import mutual_matches
from dense_reloc_ros.pose.lo_ransac import robust_pose
from dense_reloc_ros.pose.reprojection import reprojection_covariance
from dense_reloc_ros.retrieval.index import similarities
from dense_reloc_ros.scene.layout import VOCABULARY
from dense_reloc_ros.scene.scene_map import SceneMap
from dense_reloc_ros.scene.validation import check_signature

KEYFRAMES = 10
RATIO = 0.8
"""Of the ratio test, as Lowe proposed."""
HALF_SCORE_INLIERS = 30
"""Inliers that score 0.5."""
SCORE_THRESHOLD = 0.3
"""13 inliers; wrong poses of a map's own images, darkened and blurred, had 12 at most."""


class SiftPnpLocalizer(Localizer):
    """What one would use without this package; the yardstick of its tables.

    A prior pose is not used. The parameters are fixed, but for `reprojection.threshold`.
    """

    def __init__(
        self, scene_map: SceneMap, configuration: LocalizerConfiguration, device: torch.device
    ) -> None:
        super().__init__(scene_map, configuration, device, "sift_pnp")
        check_signature(scene_map, SIGNATURE)

    @property
    def score_threshold(self) -> float:
        """The configuration's, or else the map's own, or else one that wrong poses rarely reach."""
        configured = self.configuration.verification.score_threshold
        calibrated = self.scene_map.information.calibration.score_threshold
        thresholds = (configured, calibrated, SCORE_THRESHOLD)
        return next(threshold for threshold in thresholds if threshold is not None)

    def estimate(self, query: PreparedImage, prior: PosePrior | None) -> PoseCandidates:
        """Keypoints of the image, retrieval, matches with all keyframes, one pose."""
        image, camera, stopwatch = query.image, query.camera, query.stopwatch
        with stopwatch.stage("features"):
            grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
            features = detect_root_sift(brighten_if_noisy(np.asarray(grey, dtype=np.uint8)))
            descriptors = features.descriptors.to(self.device)
        with stopwatch.stage("retrieval"):
            keyframes = self.retrieve(descriptors)
        with stopwatch.stage("matching"):
            keypoints, point_indices = self.match(descriptors, keyframes)
        with stopwatch.stage("pose"):
            pixels = torch.from_numpy(features.pixels)[keypoints].double()
            estimate = self.find_pose(pixels, point_indices, camera, keyframes)
        return PoseCandidates([] if estimate is None else [estimate])

    def retrieve(self, descriptors: Tensor) -> list[int]:
        """The keyframes most like a query with descriptors (N, 128), best first."""
        retrieval = self.scene_map.retrieval
        described = vlad(descriptors, retrieval[VOCABULARY + "vlad"].to(self.device))
        scores = similarities(described, retrieval["vlad"])
        return scores.topk(min(KEYFRAMES, len(scores))).indices.tolist()

    def match(self, descriptors: Tensor, keyframes: list[int]) -> tuple[Tensor, Tensor]:
        """Pairs (K,), (K,) of a keypoint of the query and a point of the map, each pair once."""
        pairs = []
        for keyframe in keyframes:
            seen = self.scene_map.observations(keyframe)
            reference = self.scene_map.descriptors[LEVEL][seen].to(descriptors)
            matched = mutual_matches(descriptors, reference, RATIO).cpu()
            points = self.scene_map.observation_points[seen][matched[:, 1]]
            pairs.append(torch.stack([matched[:, 0], points], dim=1))
        keypoints, points = torch.unique(torch.cat(pairs), dim=0).unbind(1)
        return keypoints, points

    def find_pose(
        self, pixels: Tensor, point_indices: Tensor, camera: Camera, keyframes: list[int]
    ) -> PoseEstimate | None:
        """The pose at which the most pixels (K, 2) show their points (K,) of the map."""
        intrinsics = torch.from_numpy(camera.intrinsics)
        points = self.scene_map.points[point_indices].double()
        threshold = self.configuration.reprojection.threshold
        T_camera_map = robust_pose(pixels, points, intrinsics, threshold)
        if T_camera_map is None:
            return None
        projected, _ = project(T_camera_map[None], points, intrinsics)
        is_inlier = (projected[0] - pixels).norm(dim=-1) <= threshold
        pixels, points = pixels[is_inlier], points[is_inlier]
        # Several matches of one place in the image are one piece of evidence.
        places = len(torch.unique(pixels, dim=0))
        covariance = reprojection_covariance(T_camera_map, points, pixels, intrinsics)
        return PoseEstimate(
            T_map_camera=se3.inverse(T_camera_map.numpy()),
            covariance=covariance.numpy(),
            score=places / (places + HALF_SCORE_INLIERS),
            supporting_points=torch.unique(point_indices[is_inlier]).numpy(),
            keyframes=tuple(keyframes),
        )


METHODS = (
    Method(
        "sift_pnp",
        "sparse_to_sparse",
        "root_sift",
        "RootSIFT on both sides, mutual nearest neighbours, LO-RANSAC",
        SiftPnpLocalizer,
    ),
)
