"""S2DHM and S2DNet as methods: one match of each point, filtered, and PnP (thesis chapter 3)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from dense_reloc_ros.configuration import LocalizerConfiguration, RetrievalConfiguration
from dense_reloc_ros.features.extractor import DenseFeatures, image_to_tensor
from dense_reloc_ros.geometry.camera import Camera
from dense_reloc_ros.geometry.projection import project
from dense_reloc_ros.geometry.rig import cameras_of
from dense_reloc_ros.localization.localizer import PoseCandidates, PreparedImage
from dense_reloc_ros.localization.match_filters import MatchFilters
from dense_reloc_ros.localization.method import Method
from dense_reloc_ros.localization.place_localizer import PlaceLocalizer
from dense_reloc_ros.localization.pose_prior import PosePrior
from dense_reloc_ros.localization.query_view import QueryView, magnified
from dense_reloc_ros.localization.result import FeatureView
from dense_reloc_ros.localization.view_choice import map_magnification, most_pixels
from dense_reloc_ros.pose.lo_ransac import robust_rig_pose
from dense_reloc_ros.pose.problem import PoseProblem, fine_maps_of
from dense_reloc_ros.pose.reprojection import correspondences
from dense_reloc_ros.retrieval.index import nearest_keyframes
from dense_reloc_ros.retrieval.places import retrieve_places
from dense_reloc_ros.scene.scene_map import SceneMap
from dense_reloc_ros.stopwatch import Stopwatch

Retrieve = Callable[[DenseFeatures, SceneMap, RetrievalConfiguration], list[list[int]]]
"""The places that a query may show, each a list of keyframes."""


@dataclass(frozen=True)
class _PlacePose:
    """What one place says about the pose."""

    inliers: int
    T_camera_map: Tensor
    """(4, 4)."""
    problem: PoseProblem
    point_indices: Tensor
    keyframes: list[int]


@dataclass(frozen=True)
class Recipe:
    """How one of the two methods goes about it."""

    name: str
    retrieve: Retrieve
    ratio: float
    """Of the ratio test, eq. 3.1; 0: none."""


class SingleMatchLocalizer(PlaceLocalizer):
    """The highest cell of each map is the match; PnP in each place; most inliers win (3.4.3).

    The match is refined in the fine level around the coarse cell, as a cell of the stacked layers
    is 8 pixels wide here and 4 there. The image is looked at once, in the keyframes' scale; a prior
    pose is not used. Whether the pose is published is decided as for all methods on these maps, by
    all points, also those whose matches were left out.
    """

    def __init__(
        self,
        scene_map: SceneMap,
        configuration: LocalizerConfiguration,
        device: torch.device,
        recipe: Recipe,
    ) -> None:
        super().__init__(scene_map, configuration, device, recipe.name)
        self._recipe = recipe
        self._filters = MatchFilters(scene_map, self.extractor)

    def estimate(self, query: PreparedImage, prior: PosePrior | None) -> PoseCandidates:
        """The pose of the place with the most inliers, if any place gives one."""
        image, camera, stopwatch = query.image, query.camera, query.stopwatch
        pixels = most_pixels(self.scene_map)
        magnification = map_magnification(self.scene_map, camera)
        view = magnified(QueryView.of(image, camera), magnification, pixels)
        with stopwatch.stage("features"):
            features = self.extractor(image_to_tensor(view.image, self.device))
        with stopwatch.stage("retrieval"):
            options = self.configuration.retrieval
            places = self._recipe.retrieve(features, self.scene_map, options)
        found = [self._pose_in(place, features, view.camera, stopwatch) for place in places]
        best = max(filter(None, found), key=lambda pose: pose.inliers, default=None)
        feature_view = FeatureView(view.camera, view.T_camera_view)
        if best is None:
            return PoseCandidates([], features, feature_view)
        with stopwatch.stage("verification"):
            window = self.configuration.nre.window
            pose = fine_maps_of(best.problem, best.T_camera_map, window)
            estimate = self.verified(
                best.problem, pose, best.point_indices, best.keyframes, view.camera
            )
        return PoseCandidates([estimate], features, feature_view)

    def _pose_in(
        self, keyframes: list[int], features: DenseFeatures, camera: Camera, stopwatch: Stopwatch
    ) -> _PlacePose | None:
        configuration = self.configuration
        with stopwatch.stage("matching"):
            observations = self.select(features, keyframes)
            point_indices = self.scene_map.observation_points[observations]
            problem = self.problem(features, camera, point_indices, self.descriptors(observations))
            pixels, known = correspondences(problem, configuration.nre.window)
            known &= self._filters.kept(
                observations, problem, configuration.matches, self._recipe.ratio
            )
        with stopwatch.stage("pose"):
            pixels, points = pixels[known], problem.points[known]
            cameras = cameras_of(known, problem.intrinsics)
            threshold = configuration.reprojection.threshold
            T_camera_map = robust_rig_pose(pixels, points, cameras, threshold)
            if T_camera_map is None:
                return None
            projected, _ = project(T_camera_map[None], points, cameras)
            inliers = int(((projected[0] - pixels).norm(dim=-1) <= threshold).sum())
        return _PlacePose(inliers, T_camera_map, problem, point_indices, keyframes)


def neighbours(
    features: DenseFeatures, scene_map: SceneMap, options: RetrievalConfiguration
) -> list[list[int]]:
    """The nearest keyframes by the pooled trunk, each a place of its own (thesis 3.4.2, 3.4.3)."""
    nearest = nearest_keyframes(features, scene_map.retrieval, "gem", options.keyframes)
    return [[keyframe] for keyframe in nearest.tolist()]


S2DHM = Recipe("s2dhm", neighbours, ratio=1 / 0.9)
"""As printed, eq. 3.1 asks for a ratio above 0.9, which every map has; its inverse is meant."""
S2DNET = Recipe("s2dnet", retrieve_places, ratio=0.0)
"""Clusters of co-visible keyframes (A.2.1.3). The threshold of eq. 3.5 is off, as indoors there."""


def _method(recipe: Recipe, network: str, description: str) -> Method:
    def create(
        scene_map: SceneMap, configuration: LocalizerConfiguration, device: torch.device
    ) -> SingleMatchLocalizer:
        return SingleMatchLocalizer(scene_map, configuration, device, recipe)

    return Method(recipe.name, "sparse_to_dense", network, description, create)


METHODS = (
    _method(S2DHM, "effnet_lite0", "one match a point, ratio test, PnP for each neighbour (S2DHM)"),
    _method(S2DNET, "s2dnet_lite", "one match a point, threshold, PnP for each place (S2DNet)"),
)
