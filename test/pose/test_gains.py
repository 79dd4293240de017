"""Compiled gains are those of projected pixels."""

from __future__ import annotations

import pytest
import torch
from pose.synthetic import random_view, with_outliers
from pose.synthetic_rig import surround_rig
from torch import Tensor

from dense_reloc_ros.geometry.projection import project
from dense_reloc_ros.geometry.rig import cameras_of
from dense_reloc_ros.geometry.se3 import exp
from dense_reloc_ros.method_configuration import NreConfiguration
from dense_reloc_ros.pose.gains import gains_at_poses
from dense_reloc_ros.pose.problem import PoseProblem, fine_maps_of

WINDOW = NreConfiguration().window


def poses_around(T_camera_map: Tensor) -> Tensor:
    """A pose, those that put points beside their windows, and one that has all behind it."""
    generator = torch.Generator().manual_seed(1)
    behind = torch.diag(torch.tensor([-1.0, 1.0, -1.0, 1.0]))
    twists = 0.05 * torch.randn(6, 6, generator=generator)
    return torch.cat([exp(twists) @ T_camera_map, (behind @ T_camera_map)[None]])


def one_camera() -> tuple[PoseProblem, Tensor]:
    view = random_view(250, 0)
    return with_outliers(view, 0.5, "uniform", 0), view.T_camera_map


def three_cameras() -> tuple[PoseProblem, Tensor]:
    rig = surround_rig(3, 80, 1)
    return rig.problem(), rig.T_body_map


@pytest.mark.parametrize("seen", [one_camera, three_cameras])
def test_gains_at_poses_are_those_of_the_projected_pixels(seen):
    problem, T_camera_map = seen()
    found = fine_maps_of(problem, T_camera_map, WINDOW)
    cameras = cameras_of(found.points, problem.intrinsics)
    poses = poses_around(T_camera_map)
    for maps, points, intrinsics in (
        (problem.coarse_maps, problem.points, problem.intrinsics),
        (found.fine_maps, problem.points[found.points], cameras),
    ):
        gains = gains_at_poses(maps, points, intrinsics, poses)
        expected = maps.gains_at(project(poses, points, intrinsics)[0])
        assert (expected > 0).float().mean() > 0.1
        assert (expected == 0).float().mean() > 0.1
        torch.testing.assert_close(gains, expected, rtol=0, atol=1e-3)


def test_no_poses_gain_nothing():
    problem, _ = one_camera()
    none = torch.zeros(0, 4, 4)
    gains = gains_at_poses(problem.coarse_maps, problem.points, problem.intrinsics, none)
    assert gains.shape == (0, len(problem.points))
