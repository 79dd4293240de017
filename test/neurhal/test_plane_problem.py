"""Poses by points that lie outside of the image, with maps that know where."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from dense_reloc_ros.geometry.se3 import inverse, pose_error, rigid
from dense_reloc_ros.method_configuration import NreConfiguration
from dense_reloc_ros.neurhal.hallucinator import HallucinatedMaps
from dense_reloc_ros.neurhal.padding import CorrespondencePlane
from dense_reloc_ros.neurhal.plane_problem import WIDEST, PlaneProblem
from dense_reloc_ros.pose.nre import coarse_poses

PLANE = CorrespondencePlane.around((12, 16), 16, 7.5, 0.5)
INTRINSICS = torch.tensor([210.0, 210.0, 127.5, 95.5])


def knowing_maps(pixels: torch.Tensor, sigma: float = 0.8) -> HallucinatedMaps:
    """Gaussians of `sigma` cells around pixels (N, 2)."""
    offsets = PLANE.cells(PLANE.centres())[None] - PLANE.cells(pixels)[:, None, None]
    log_maps = -offsets.square().sum(-1) / (2 * sigma**2)
    log_maps = log_maps - log_maps.flatten(1).logsumexp(1)[:, None, None]
    return HallucinatedMaps(log_maps[None], PLANE)


def test_the_pose_is_found_by_points_none_of_which_is_in_the_image():
    generator = torch.Generator().manual_seed(0)
    pixels = torch.rand(300, 2, generator=generator) * torch.tensor([500.0, 370.0])
    pixels = pixels - torch.tensor([120.0, 88.0])
    outside = ~((pixels >= 0) & (pixels <= torch.tensor([255.0, 191.0]))).all(-1)
    pixels = pixels[outside]
    depths = torch.rand(len(pixels), 1, generator=generator) * 2 + 1.5
    rays = (pixels - INTRINSICS[2:]) / INTRINSICS[:2]
    in_camera = torch.cat([rays, torch.ones(len(rays), 1)], 1) * depths
    angle = math.radians(70)
    turn = np.array(
        [[math.cos(angle), 0, math.sin(angle)], [0, 1, 0], [-math.sin(angle), 0, math.cos(angle)]]
    )
    T_map_camera = rigid(turn, np.array([0.5, -0.2, 1.0]))
    points = in_camera @ torch.from_numpy(T_map_camera[:3, :3]).float().T
    points = points + torch.from_numpy(T_map_camera[:3, 3]).float()
    half = len(points) // 2
    problem = PlaneProblem.joined(
        [knowing_maps(pixels[:half]), knowing_maps(pixels[half:])],
        [points[:half], points[half:]],
        INTRINSICS,
    )
    poses = coarse_poses(problem, NreConfiguration(), None)
    error = pose_error(T_map_camera, inverse(poses[0].double().numpy()))
    # A hundredth of the depth, and a tenth of a cell.
    assert error.translation < 0.05
    assert math.degrees(error.rotation) < 0.5


def test_best_pixels_are_counted_from_the_image_and_vague_maps_gain_nothing():
    pixels = torch.tensor([[-56.5, 119.5], [263.5, -40.5]])
    problem = PlaneProblem.joined([knowing_maps(pixels)], [torch.zeros(2, 3)], INTRINSICS)
    best, _ = problem.coarse_maps.best_pixels
    torch.testing.assert_close(best, pixels, atol=0.5, rtol=0)
    for cells, gained in ((WIDEST + 1, 0.0), (5, math.log(WIDEST / 5))):
        log_maps = torch.full((1, 2, PLANE.height, PLANE.width), -torch.inf)
        log_maps.flatten(2)[..., :cells] = -math.log(cells)
        maps = HallucinatedMaps(log_maps, PLANE)
        problem = PlaneProblem.joined([maps], [torch.zeros(2, 3)], INTRINSICS)
        assert float(problem.coarse_maps.gains.max()) == pytest.approx(gained)


def test_points_are_likely_where_their_map_has_them_and_never_off_the_plane():
    peak = torch.tensor([[104.5, 60.5]])
    problem = PlaneProblem.joined([knowing_maps(peak)], [torch.zeros(1, 3)], INTRINSICS)
    # The peak of a Gaussian of 0.8 cells has 1 / (2 pi 0.64) of it, e^-2 of that 1.6 cells beside.
    highest = 1 / (2 * math.pi * 0.64)
    asked = torch.tensor([[[104.5, 60.5], [104.5 + 1.6 * 16, 60.5], [9000.0, 60.5]]])
    for share, expected in ((0.8, [True, False, False]), (0.1, [True, True, False])):
        assert problem.may_be_seen(share * highest).tolist() == [True]
        assert problem.is_likely(torch.arange(1), asked, share * highest)[0, 0].tolist() == expected


def test_points_far_outside_of_the_image_may_not_be_seen_in_it():
    pixels = torch.tensor([[300.0, 60.5], [-90.0, 60.5], [100.0, 220.0], [250.0, 60.5]])
    problem = PlaneProblem.joined([knowing_maps(pixels)], [torch.zeros(4, 3)], INTRINSICS)
    assert problem.may_be_seen(0.1).tolist() == [False, False, False, True]


def test_maps_within_a_smaller_plane_keep_their_values_and_the_rest_is_elsewhere():
    maps = knowing_maps(torch.tensor([[40.0, 50.0], [-100.0, 20.0]]), sigma=5.0)
    for share, size in ((0.0, (12, 16)), (0.25, (18, 24)), (0.5, (24, 32))):
        smaller = maps.within(share)
        assert (smaller.plane.height, smaller.plane.width) == size
        total = smaller.log_maps.exp().sum((-1, -2)) + smaller.log_elsewhere.exp()
        torch.testing.assert_close(total, torch.ones(1, 2))
        x, y = smaller.plane.padding
        assert torch.equal(smaller.log_maps[..., y, x], maps.log_maps[..., 6, 8])
        known = smaller.on_plane().log_maps
        torch.testing.assert_close(known.exp().sum((-1, -2)), torch.ones(1, 2))
        torch.testing.assert_close(
            known[..., y + 3, x + 5] - known[..., y, x],
            smaller.log_maps[..., y + 3, x + 5] - smaller.log_maps[..., y, x],
        )
