"""Which of a place's matches are believed: the filters of sparse-to-dense matching (thesis 3)."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from dense_reloc_ros.errors import MapError
from dense_reloc_ros.features.extractor import (
    DenseFeatures,
    FeatureExtractor,
    FeatureLevel,
    image_to_tensor,
)
from dense_reloc_ros.matching.correlation import correlate
from dense_reloc_ros.matching.filters import (
    best_matches,
    cyclic_check,
    probability_test,
    ratio_test,
)
from dense_reloc_ros.method_configuration import MatchesConfiguration
from dense_reloc_ros.pose.problem import PoseProblem
from dense_reloc_ros.scene.scene_map import SceneMap


class MatchFilters:
    """Ratio test, probability and cyclic check of the coarse maps of observations."""

    def __init__(self, scene_map: SceneMap, extractor: FeatureExtractor) -> None:
        self._map = scene_map
        self._extractor = extractor

    def kept(
        self,
        observations: Tensor,
        problem: PoseProblem,
        options: MatchesConfiguration,
        default_ratio: float,
    ) -> Tensor:
        """Whose matches pass all filters that the options set: (M,) bool.

        Args:
            observations: (M,) of the points of the problem, in its order.
            problem: with their coarse maps.
            options: what is asked for.
            default_ratio: of the ratio test, where the options leave it to the method.

        Raises:
            MapError: the cyclic check is asked for and the map has no images of its keyframes.
        """
        coarse = problem.coarse_level
        kept = torch.ones(len(observations), dtype=torch.bool, device=problem.points.device)
        ratio = default_ratio if options.ratio is None else options.ratio
        if ratio > 0 and len(observations):
            maps = correlate(problem.coarse_descriptors, coarse)
            kept &= ratio_test(maps, options.rank_share, ratio)
        if options.least_probability > 0:
            kept &= probability_test(problem.log_coarse.exp(), options.least_probability)
        if options.cyclic_distance is not None:
            matches = best_matches(problem.log_coarse, coarse)
            kept &= self._lead_back(observations, matches, coarse, options.cyclic_distance)
        return kept

    def _lead_back(
        self, observations: Tensor, matches: Tensor, query: FeatureLevel, distance: float
    ) -> Tensor:
        """Whether matches (M, 2) in the query lead back to their observations (thesis A.1)."""
        offsets = self._map.observation_offsets
        keyframes = torch.searchsorted(offsets, observations, right=True) - 1
        kept = torch.zeros(len(observations), dtype=torch.bool, device=matches.device)
        for keyframe in torch.unique(keyframes).tolist():
            of_keyframe = keyframes == keyframe
            pixels = self._map.observation_pixels[observations[of_keyframe]].to(matches)
            reference = self._features(keyframe).levels["coarse"]
            reference = replace(reference, values=reference.values.to(matches))
            chosen = of_keyframe.to(matches.device)
            kept[chosen] = cyclic_check(pixels, reference, matches[chosen], query, distance)
        return kept

    def _features(self, keyframe: int) -> DenseFeatures:
        if self._map.images is None:
            raise MapError(
                "the map has no images of its keyframes, which matches.cyclic_distance needs: "
                "build it with --store-images"
            )
        return self._extractor(image_to_tensor(self._map.images(keyframe), self._extractor.device))
