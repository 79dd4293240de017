"""From a predicted pose to the frame's own: the estimator of single frames without its search."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from dense_reloc_ros.configuration import LocalizerConfiguration
from dense_reloc_ros.pose.feature_metric import refine_by_features
from dense_reloc_ros.pose.nre import refine_coarse, refine_fine
from dense_reloc_ros.pose.problem import FoundPose, PoseProblem, fine_maps_of
from dense_reloc_ros.temporal.matching import Matches


@dataclass(frozen=True)
class TrackedPose:
    """One pose, on the maps that it was found on and on those of the map alone."""

    fused: FoundPose
    by_map: FoundPose
    gain: float
    """What all points gain on the map's own maps: the more, the lower the NRE."""


def track(
    matches: Matches, predicted: Tensor, configuration: LocalizerConfiguration
) -> TrackedPose | None:
    """The pose near the predicted one (4, 4) with the lowest NRE on the map's own loss maps.

    From the prediction GNC goes on on the fused maps, once coarse to fine, which reaches far, and
    once on the fine windows alone: in bad light the coarse maps have other places that are cheaper.
    """
    fused, options = matches.fused, configuration.nre
    coarse = refine_coarse(fused, fused.coarse_maps, predicted[None], options)
    found = [refine_fine(fused, starts, options) for starts in (coarse, predicted[None])]
    poses = []
    for pose in found:
        if pose is None or not len(pose.points):
            continue
        refined = refine_by_features(fused, pose, configuration.feature_metric)
        by_map = fine_maps_of(matches.by_map, refined.T_camera_map, options.window)
        poses.append(TrackedPose(refined, by_map, gain_of(matches.by_map, by_map)))
    return max(poses, key=lambda pose: pose.gain, default=None)


def gain_of(problem: PoseProblem, found: FoundPose) -> float:
    """What all points gain together at a pose."""
    return float(found.gains(problem).sum())
