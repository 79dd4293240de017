"""No value decides what the solvers compute: each is one graph, whatever the numbers are.

`torch.compile(fullgraph=True)` refuses what a tensor's value decides: a branch or a loop's end, a
number taken out of a tensor, a choice by a mask. So all of it can be recorded once and played
again, as CUDA graphs need it. The backend `eager` runs the graph as it was recorded.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
import torch
from pose.synthetic import (
    INTRINSICS,
    code_level,
    position_code,
    random_pixels,
    random_view,
    with_outliers,
)
from pose.synthetic_rig import surround_rig
from torch import Tensor

from dense_reloc_ros.configuration import FeatureMetricConfiguration
from dense_reloc_ros.geometry.projection import project, to_bearings
from dense_reloc_ros.geometry.rig import Cameras
from dense_reloc_ros.geometry.se3 import exp
from dense_reloc_ros.pose import covariance
from dense_reloc_ros.pose.feature_metric import refine_by_tensors as aligned
from dense_reloc_ros.pose.gnc import hessian_by_tensors, sigma_schedule
from dense_reloc_ros.pose.gnc import refine_by_tensors as refined
from dense_reloc_ros.pose.loss_maps import LossMaps
from dense_reloc_ros.pose.p3p import p3p

Outputs = Tensor | tuple[Tensor, ...]


def check_graph(
    function: Callable[..., Outputs], inputs: Sequence[Tensor], others: Sequence[Tensor]
) -> None:
    """One graph gives what the function gives, for other values too."""
    torch._dynamo.reset()
    counters = torch._dynamo.utils.counters
    counters.clear()
    graph = torch.compile(function, fullgraph=True, dynamic=False, backend="eager")
    for values in (inputs, others):
        # What cameras remember of themselves is there before the graph is recorded.
        expected = function(*values)
        torch.testing.assert_close(graph(*values), expected, equal_nan=True)
    assert counters["stats"]["unique_graphs"] == 1


def moved(poses: Tensor) -> Tensor:
    """Poses (B, 4, 4) a little beside."""
    twists = 0.01 * torch.arange(1.0, 6 * len(poses) + 1).view(-1, 6)
    return exp(twists) @ poses


def single() -> tuple[Tensor, Tensor, Cameras, LossMaps]:
    """Starts (B, 4, 4), points, their camera and fine maps; half of the maps know nothing."""
    view = random_view(60, 0)
    maps = with_outliers(view, 0.5, "uniform", 0).fine_maps(view.pixels, 12)
    starts = torch.stack([view.moved(0.02 * (k + 1), 0.4, seed=k) for k in range(3)])
    return starts, view.points, INTRINSICS, maps


def rig() -> tuple[Tensor, Tensor, Cameras, LossMaps]:
    """The same of three cameras on a body, which is the only start."""
    seen = surround_rig(3, 20, 1)
    problem = seen.problem()
    pixels, _ = project(seen.T_body_map[None], problem.points, problem.intrinsics)
    maps = problem.fine_maps(pixels[0], 12)
    return seen.T_body_map[None], problem.points, problem.intrinsics, maps


@pytest.mark.parametrize("seen", [single, rig])
def test_graduated_non_convexity_is_one_graph(seen):
    starts, points, intrinsics, maps = seen()
    sigmas = sigma_schedule(4.0, 0.6, 2)

    def refine(poses: Tensor) -> Tensor:
        return refined(poses, points, intrinsics, maps, sigmas, 2, least_share=0.1)

    check_graph(refine, [starts], [moved(starts)])


def test_feature_pnp_is_one_graph():
    view, level = random_view(80, 11), code_level(4, 16.0)
    pixels = torch.where(torch.arange(80)[:, None] < 60, view.pixels, random_pixels(80, 12))
    descriptors = position_code(pixels, 16.0)
    options = FeatureMetricConfiguration(iterations=3)

    def refine(poses: Tensor) -> Tensor:
        return aligned(poses, view.points, INTRINSICS, descriptors, level, options)

    starts = torch.stack([view.moved(0.02, 0.3, seed=k) for k in range(3)])
    check_graph(refine, [starts], [moved(starts)])


def test_p3p_is_one_graph():
    view = random_view(90, 3, torch.float64)
    bearings = to_bearings(view.pixels, INTRINSICS.double()).view(30, 3, 3)
    points = view.points.view(30, 3, 3).clone()
    points[0, 2] = 2 * points[0, 1] - points[0, 0]  # on a line: no pose
    check_graph(p3p, [bearings, points], [bearings.flip(0), points.flip(0)])


@pytest.mark.parametrize("seen", [single, rig])
def test_gains_are_one_graph(seen):
    starts, points, intrinsics, maps = seen()

    def gains(poses: Tensor) -> Tensor:
        return maps.gains_at(project(poses, points, intrinsics)[0])

    check_graph(gains, [starts], [moved(starts)])


def test_covariances_are_one_graph(monkeypatch):
    starts, points, intrinsics, maps = single()
    monkeypatch.setattr(covariance, "smoothed_hessian", hessian_by_tensors)

    def covariance_at(pose: Tensor) -> Tensor:
        return covariance.pose_covariance(pose, points, intrinsics, maps, 0.6, 10.0)

    check_graph(covariance_at, [starts[-1]], [starts[0]])
