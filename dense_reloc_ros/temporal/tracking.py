"""From a predicted pose to the frame's own: the estimator of single frames without its search."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from torch import Tensor
from torch.nn.functional import normalize

from dense_reloc_ros.configuration import LocalizerConfiguration
from dense_reloc_ros.pose.feature_metric import refine_by_features
from dense_reloc_ros.pose.nre import refine_coarse, refine_fine
from dense_reloc_ros.pose.problem import FoundPose, PoseProblem, fine_maps_of
from dense_reloc_ros.temporal.fused_matching import Matches


@dataclass(frozen=True)
class TrackedPose:
    """One pose, on the maps that it was found on and on those of the map alone."""

    fused: FoundPose
    by_map: FoundPose
    gain: float
    """What all points gain on the map's own maps: the more, the lower the NRE."""


def tracked_poses(
    matches: Matches, predicted: Tensor, configuration: LocalizerConfiguration
) -> Iterator[TrackedPose]:
    """Poses that GNC reaches from a predicted one (4, 4), each found only when it is asked for.

    First on the fine windows around the prediction: in bad light other places are as cheap on the
    coarse maps. Then coarse to fine, which reaches further.
    """
    fused, options = matches.fused, configuration.nre
    # Mixed descriptors are shorter, which would look like a residual.
    comparable = replace(
        fused,
        coarse_descriptors=normalize(fused.coarse_descriptors, dim=-1),
        fine_descriptors=normalize(fused.fine_descriptors, dim=-1),
    )
    for is_far in (False, True):
        starts = predicted[None]
        if is_far:
            starts = refine_coarse(fused, fused.coarse_maps, starts, options)
        found = refine_fine(fused, starts, options)
        if found is None or not len(found.points):
            continue
        refined = refine_by_features(comparable, found, configuration.feature_metric)
        by_map = fine_maps_of(matches.by_map, refined.T_camera_map, options.window)
        yield TrackedPose(refined, by_map, _gain(matches.by_map, by_map))


def gain_at(problem: PoseProblem, T_camera_map: Tensor, window: int) -> float:
    """What all points gain together at a pose (4, 4) on the fine maps around it."""
    return _gain(problem, fine_maps_of(problem, T_camera_map, window))


def _gain(problem: PoseProblem, found: FoundPose) -> float:
    return float(found.gains(problem).sum())
