"""Compiles the steps of a processor before the first image waits for them."""

from __future__ import annotations

from functools import cache

import torch

from dense_reloc_ros.configuration import LocalizerConfiguration
from dense_reloc_ros.features.extractor import FeatureLevel
from dense_reloc_ros.pose import gnc
from dense_reloc_ros.pose.covariance import pose_covariance
from dense_reloc_ros.pose.feature_metric import refine_by_features
from dense_reloc_ros.pose.problem import PoseProblem, fine_maps_of
from dense_reloc_ros.pose.reprojection import correspondences

POINTS = 8
CHANNELS = 4
COARSE, FINE = 16, 4
"""Strides, in pixels."""
WINDOW = 8


@cache
def compile_steps() -> None:
    """Has all compiled steps run once on a small problem.

    After an installation that takes as long as their compilation, some ten seconds; later they are
    read from files (`compiled_code`).
    """
    problem, pose = _problem(), torch.eye(4)
    options = LocalizerConfiguration()
    correspondences(problem, WINDOW)
    found = fine_maps_of(problem, pose, WINDOW)
    points = problem.points[found.points]
    for maps, seen in ((problem.coarse_maps, problem.points), (found.fine_maps, points)):
        gnc.refine(pose[None], seen, problem.intrinsics, maps, [options.nre.last_sigma], 1)
    refine_by_features(problem, found, options.feature_metric)
    pose_covariance(pose, points, problem.intrinsics, found.fine_maps, options.nre.last_sigma)


def _problem() -> PoseProblem:
    """Points one metre before a camera at the origin, with coarse maps that show where they are."""
    generator = torch.Generator().manual_seed(0)
    points = torch.rand(POINTS, 3, generator=generator) - 0.5
    points[:, 2] = 1.0
    coarse, fine = (
        FeatureLevel(stride, 0.0, torch.rand(1, CHANNELS, side, side, generator=generator))
        for stride, side in ((COARSE, 8), (FINE, 32))
    )
    cells = ((points[:, :2] * 64 + 64) / COARSE).round().long().clamp(0, 7)
    log_coarse = torch.full((POINTS, 8, 8), -10.0)
    log_coarse[torch.arange(POINTS), cells[:, 1], cells[:, 0]] = 0.0
    descriptors = torch.nn.functional.normalize(
        torch.rand(POINTS, CHANNELS, generator=generator), dim=-1
    )
    return PoseProblem(
        points=points,
        intrinsics=torch.tensor([64.0, 64.0, 64.0, 64.0]),
        log_coarse=log_coarse,
        coarse_descriptors=descriptors,
        coarse_level=coarse,
        fine_descriptors=descriptors,
        fine_level=fine,
        fine_temperature=0.05,
    )
