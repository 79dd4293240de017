"""NeurHal as a method: keyframes' points, seen or not, on a plane larger than the image (5.4.2)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from dense_reloc_ros.configuration import LocalizerConfiguration
from dense_reloc_ros.features.extractor import FeatureExtractor, image_to_tensor
from dense_reloc_ros.geometry import se3
from dense_reloc_ros.localization.hallucinated_poses import CoarsePoses, HallucinatedPoses
from dense_reloc_ros.localization.localizer import PoseCandidates, PreparedImage
from dense_reloc_ros.localization.method import Method
from dense_reloc_ros.localization.place_localizer import PlaceLocalizer
from dense_reloc_ros.localization.pose_prior import PosePrior
from dense_reloc_ros.localization.result import PoseEstimate
from dense_reloc_ros.neurhal.hallucinator import NeurHal
from dense_reloc_ros.neurhal.variants import NeurHalVariant
from dense_reloc_ros.pose.nre import estimate_nre, refine_fine
from dense_reloc_ros.pose.problem import FoundPose, PoseProblem, fine_maps_of
from dense_reloc_ros.retrieval.places import retrieve_places
from dense_reloc_ros.scene.scene_map import SceneMap

FEWEST_SEEN = 10
"""Points that support a pose in the image: with fewer, what is seen says nothing."""


class NeurHalLocalizer(PlaceLocalizer):
    """Poses by hallucinated maps, by the map's own features, and by both; verification ranks them.

    Hallucinated poses are coarse. All are refined by the map's features where points are visible,
    and what these say of a pose decides whether it is published, as for other methods: a
    hallucinated pose in which hardly anything is seen again stays unpublished.
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
        self._hallucinated = HallucinatedPoses(scene_map, configuration, variant, device, network)

    def estimate(self, query: PreparedImage, prior: PosePrior | None) -> PoseCandidates:
        """Features, retrieval, and for each place the pose that is verified best."""
        image, camera, stopwatch = query.image, query.camera, query.stopwatch
        with stopwatch.stage("features"):
            features = self.extractor(image_to_tensor(image, self.device))
            target = self._hallucinated.target(image, camera, features)
        with stopwatch.stage("retrieval"):
            places = retrieve_places(features, self.scene_map, self.configuration.retrieval)
        guess = None
        if prior is not None:
            guess = torch.from_numpy(se3.inverse(prior.T_map_camera)).float()
        estimates = []
        for keyframes in places:
            with stopwatch.stage("matching"):
                point_indices, problem = self.match(features, keyframes, camera)
            with stopwatch.stage("pose"):
                chosen = keyframes[: self.configuration.neurhal.keyframes]
                hallucinated = self._hallucinated.around(target, chosen, self.configuration)
                found = self._found(problem, hallucinated, guess)
            with stopwatch.stage("verification"):
                verified = [
                    self.verified(problem, one, point_indices, keyframes, camera) for one in found
                ]
                estimates += _best(verified)
        return PoseCandidates(estimates, features)

    def _found(
        self, problem: PoseProblem, hallucinated: CoarsePoses, guess: Tensor | None
    ) -> list[FoundPose]:
        """What all starts come to on fine maps, what NRE finds without them, and last the cheapest
        on hallucinated maps as it is."""
        nre = self.configuration.nre
        starts = [*hallucinated.by_maps, *hallucinated.by_matches]
        starts += [] if guess is None else [guess]
        found = [refine_fine(problem, start[None], nre) for start in starts]
        found.append(estimate_nre(problem, nre, guess))
        found += [fine_maps_of(problem, start, nre.window) for start in hallucinated.by_maps[:1]]
        return [one for one in found if one is not None]


def _best(estimates: Sequence[PoseEstimate]) -> list[PoseEstimate]:
    """The best of a place; the last one where hardly anything is seen again in that."""
    best = max(estimates, key=lambda estimate: estimate.score, default=None)
    if best is None:
        return []
    return [best if len(best.supporting_points) >= FEWEST_SEEN else estimates[-1]]


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
