"""NeurHal as a method: keyframes' points, seen or not, on a plane larger than the image (5.4.2)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dense_reloc_ros.configuration import LocalizerConfiguration
from dense_reloc_ros.features.extractor import FeatureExtractor, image_to_tensor
from dense_reloc_ros.geometry import se3
from dense_reloc_ros.geometry.camera import Camera
from dense_reloc_ros.images.network_image import network_image, network_intrinsics
from dense_reloc_ros.localization.localizer import PoseCandidates
from dense_reloc_ros.localization.method import Method
from dense_reloc_ros.localization.place_localizer import PlaceLocalizer
from dense_reloc_ros.localization.pose_prior import PosePrior
from dense_reloc_ros.neurhal.hallucinator import NeurHal, TargetView
from dense_reloc_ros.neurhal.hallucinator_weights import open_hallucinator
from dense_reloc_ros.neurhal.keyframe_points import KeyframeSources
from dense_reloc_ros.neurhal.plane_problem import PlaneProblem
from dense_reloc_ros.neurhal.variants import NeurHalVariant
from dense_reloc_ros.pose.nre import coarse_poses, refine_fine
from dense_reloc_ros.pose.problem import FoundPose, PoseProblem, fine_maps_of
from dense_reloc_ros.pose.verification import SUPPORT_SHARE
from dense_reloc_ros.retrieval.places import retrieve_places
from dense_reloc_ros.scene.scene_map import SceneMap
from dense_reloc_ros.stopwatch import Stopwatch

FEWEST_SEEN = 12
"""Points that support a pose in the image: with fewer, the fine maps would lead it astray."""


class NeurHalLocalizer(PlaceLocalizer):
    """Coarse poses by hallucinated maps, then by the map's own features where points are visible.

    What the map's features say of a pose decides whether it is published, as for other methods: a
    hallucinated pose in which hardly anything is seen again stays unpublished. A prior is one more
    pose to be tried on the features.
    """

    def __init__(
        self,
        scene_map: SceneMap,
        configuration: LocalizerConfiguration,
        device: torch.device,
        variant: NeurHalVariant,
        network: NeurHal | None = None,
        extractor: FeatureExtractor | None = None,
    ) -> None:
        super().__init__(scene_map, configuration, device, variant, extractor)
        weights = configuration.neurhal.weights
        self._network = network or open_hallucinator(
            variant, device, Path(weights) if weights else None
        )
        self._sources = KeyframeSources(scene_map, self._network, device)

    def estimate(
        self,
        image: NDArray[np.uint8],
        camera: Camera,
        prior: PosePrior | None,
        stopwatch: Stopwatch,
    ) -> PoseCandidates:
        """Features, retrieval, and for each place: hallucinated maps and a pose."""
        size = self._network.image_size
        intrinsics = network_intrinsics(camera, size).float().to(self.device)
        with stopwatch.stage("features"):
            features = self.extractor(image_to_tensor(image, self.device))
            target = self._network.target_view(
                network_image(image, size, self.device), intrinsics[None]
            )
        with stopwatch.stage("retrieval"):
            places = retrieve_places(features, self.scene_map, self.configuration.retrieval)
        estimates = []
        for keyframes in places:
            with stopwatch.stage("matching"):
                point_indices, problem = self.match(features, keyframes, camera)
                plane = self.hallucinate(target, keyframes, intrinsics)
            with stopwatch.stage("pose"):
                found = self._pose(problem, plane, prior)
            if found is None:
                continue
            with stopwatch.stage("verification"):
                estimates.append(self.verified(problem, found, point_indices, keyframes, camera))
        return PoseCandidates(estimates, features)

    def hallucinate(
        self, target: TargetView, keyframes: list[int], intrinsics: Tensor
    ) -> PlaneProblem:
        """The points of a place's first keyframes with their maps around a target image."""
        options = self.configuration.neurhal
        maps, points = [], []
        for keyframe in keyframes[: options.keyframes]:
            source = self._sources.of(keyframe, options.points)
            maps.append(self._network.match(source.view, target, source.pixels, source.depths))
            points.append(source.points)
        return PlaneProblem.joined(maps, points, intrinsics)

    def _pose(
        self, problem: PoseProblem, plane: PlaneProblem, prior: PosePrior | None
    ) -> FoundPose | None:
        """Coarse to fine; the cheapest coarse pose where too few of its points are seen again."""
        nre = self.configuration.nre
        coarse = coarse_poses(plane, nre, None)
        if prior is not None:
            guess = torch.from_numpy(se3.inverse(prior.T_map_camera)).to(problem.points)
            coarse = torch.cat([coarse, guess[None]])
        if not len(coarse):
            return None
        found = refine_fine(problem, coarse, nre)
        if found is not None:
            gains = found.gains(problem) / found.fine_maps.outlier_loss
            if int((gains > SUPPORT_SHARE).sum()) >= FEWEST_SEEN:
                return found
        return fine_maps_of(problem, coarse[0], nre.window)


def _method(variant: NeurHalVariant, network: str) -> Method:
    def create(
        scene_map: SceneMap, configuration: LocalizerConfiguration, device: torch.device
    ) -> NeurHalLocalizer:
        return NeurHalLocalizer(scene_map, configuration, device, variant)

    description = f"correspondences hallucinated outside of the image (NeurHal), {network}, NRE"
    return Method(variant, "sparse_to_dense", "compact", description, create, "images")


METHODS = (
    _method("neurhal_compact", "small network"),
    _method("neurhal", "network of the thesis"),
)
