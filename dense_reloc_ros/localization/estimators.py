"""Pose estimators: what sparse-to-dense methods are composed of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Protocol

from torch import Tensor

from dense_reloc_ros.configuration import LocalizerConfiguration
from dense_reloc_ros.pose.feature_metric import refine_by_features
from dense_reloc_ros.pose.nre import estimate_nre, estimate_nre_coarse
from dense_reloc_ros.pose.problem import FoundPose, PoseProblem
from dense_reloc_ros.pose.reprojection import estimate_reprojection, estimate_smoothed_reprojection


class PoseEstimator(Protocol):
    """Finds the camera's pose among points with correspondence maps."""

    def __call__(
        self,
        problem: PoseProblem,
        configuration: LocalizerConfiguration,
        prior_T_camera_map: Tensor | None,
    ) -> FoundPose | None:
        """The pose, None where nothing matches; a prior (4, 4) is tried where it can be."""


def reprojection_error(
    problem: PoseProblem, configuration: LocalizerConfiguration, prior_T_camera_map: Tensor | None
) -> FoundPose | None:
    """RE: the best pixel of each map, LO-RANSAC and refinement (thesis eq. 4.1)."""
    return estimate_reprojection(problem, configuration)


def smoothed_reprojection_error(
    problem: PoseProblem, configuration: LocalizerConfiguration, prior_T_camera_map: Tensor | None
) -> FoundPose | None:
    """RE as a special case of NRE (thesis eq. 4.11)."""
    return estimate_smoothed_reprojection(problem, configuration)


def coarse_neural_reprojection_error(
    problem: PoseProblem, configuration: LocalizerConfiguration, prior_T_camera_map: Tensor | None
) -> FoundPose | None:
    """NRE that stops before the fine maps."""
    return estimate_nre_coarse(problem, configuration.nre, prior_T_camera_map)


def neural_reprojection_error(
    problem: PoseProblem, configuration: LocalizerConfiguration, prior_T_camera_map: Tensor | None
) -> FoundPose | None:
    """NRE: MSAC + P3P on the loss maps, GNC coarse to fine (thesis eq. 4.6)."""
    return estimate_nre(problem, configuration.nre, prior_T_camera_map)


@dataclass(frozen=True)
class FeatureMetric:
    """Feature-PnP after another estimator (Xue et al., 3.2)."""

    first: PoseEstimator

    def __call__(
        self,
        problem: PoseProblem,
        configuration: LocalizerConfiguration,
        prior_T_camera_map: Tensor | None,
    ) -> FoundPose | None:
        """The first estimator's pose with features and descriptors aligned."""
        found = self.first(problem, configuration, prior_T_camera_map)
        if found is None:
            return None
        return refine_by_features(problem, found, configuration.feature_metric)


ESTIMATORS: Mapping[str, PoseEstimator] = MappingProxyType(
    {
        "nre": neural_reprojection_error,
        "nre_coarse": coarse_neural_reprojection_error,
        "re": reprojection_error,
        "re_smoothed": smoothed_reprojection_error,
        "feature_pnp": FeatureMetric(reprojection_error),
        "nre_feature_pnp": FeatureMetric(neural_reprojection_error),
    }
)
"""By the names of the methods."""
