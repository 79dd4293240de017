"""Sampled poses: that the truth is among them, and that the cheapest are found."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from pose.synthetic import INTRINSICS, problem_of, random_view, with_outliers
from scipy.spatial.transform import Rotation

from dense_reloc_ros.geometry.projection import project
from dense_reloc_ros.geometry.se3 import rigid
from dense_reloc_ros.pose import msac


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_triplets_of_good_maps_give_the_true_pose():
    view = random_view(40, 0)
    maps = problem_of(view.points, (view.pixels, 1.0)).coarse_maps
    poses = msac.sample_poses(maps, view.points, INTRINSICS, 50, seeded())
    assert 50 <= len(poses) <= 200
    errors = [view.error(pose).translation for pose in poses]
    assert np.mean(np.array(errors) < 0.1) > 0.25  # one of up to four solutions
    again = msac.sample_poses(maps, view.points, INTRINSICS, 50, seeded())
    torch.testing.assert_close(poses, again, rtol=0, atol=0)


def test_maps_that_know_nothing_are_not_sampled():
    view = random_view(40, 1)
    maps = with_outliers(view, 0.8, "uniform", seed=1).coarse_maps
    poses = msac.sample_poses(maps, view.points, INTRINSICS, 50, seeded())
    errors = [view.error(pose).translation for pose in poses]
    assert np.mean(np.array(errors) < 0.1) > 0.2  # of all triplets, 0.7 % are good


@pytest.mark.parametrize("known", [0, 2])
def test_two_known_maps_are_too_few(known):
    view = random_view(10, 2)
    maps = problem_of(view.points, (view.pixels, 1.0)).coarse_maps
    maps.gains[known:] = 0.0
    poses = msac.sample_poses(maps, view.points, INTRINSICS, 20, seeded())
    assert poses.shape == (0, 4, 4)
    assert msac.score(maps, view.points, INTRINSICS, poses).shape == (0,)


def test_scores_are_the_costs_of_the_reprojections(monkeypatch):
    view = random_view(30, 3)
    maps = problem_of(view.points, (view.pixels, 1.0)).coarse_maps
    poses = torch.stack([view.moved(0.1 * k, 1.0 * k, seed=k) for k in range(11)])
    expected = [float(maps.cost(project(pose[None], view.points, INTRINSICS)[0])) for pose in poses]
    assert int(np.argmin(expected)) == 0
    for at_once in (10**6, 60):  # 60 are two poses at a time
        monkeypatch.setattr(msac, "REPROJECTIONS_AT_ONCE", at_once)
        found = msac.score(maps, view.points, INTRINSICS, poses)
        np.testing.assert_allclose(found.numpy(), expected, rtol=1e-5)


@pytest.mark.parametrize("screening", [10**9, 50])
def test_the_cheapest_of_many_poses_come_in_order(screening, monkeypatch):
    monkeypatch.setattr(msac, "SCREENING_POINTS", screening)
    view = random_view(300, 4)
    maps = problem_of(view.points, (view.pixels, 1.0)).coarse_maps
    poses = torch.stack([view.moved(0.02 * k, 0.2 * k, seed=k) for k in range(120)])
    poses = poses[torch.randperm(120, generator=seeded())]
    chosen, costs = msac.cheapest(maps, view.points, INTRINSICS, poses, 5)
    everything = msac.score(maps, view.points, INTRINSICS, poses)
    torch.testing.assert_close(costs[:3], everything.sort().values[:3])
    torch.testing.assert_close(chosen[0], poses[everything.argmin()])
    assert len(msac.cheapest(maps, view.points, INTRINSICS, poses[:3], 5)[0]) == 3


def turned(position: tuple[float, float, float], degrees: float) -> torch.Tensor:
    """T_camera_map of a camera at a position in the map."""
    rotation = Rotation.from_euler("y", degrees, degrees=True).as_matrix()
    return torch.from_numpy(np.linalg.inv(rigid(rotation, np.array(position))))


def test_poses_near_a_cheaper_one_are_passed_over():
    poses = torch.stack(
        [
            turned((0.0, 0, 0), 0),
            turned((5.0, 0, 0), 0),  # the cheapest
            turned((5.05, 0, 0), 1),  # near it
            turned((5.05, 0, 0), 20),  # looks elsewhere
            turned((5.30, 0, 0), 1),  # is elsewhere
            turned((0.05, 0, 0), 1),  # near the first, but cheaper
        ]
    )
    costs = torch.tensor([5.0, 1.0, 2.0, 3.0, 4.0, 4.5])
    near = {"distance": 0.1, "angle": np.radians(5.0)}
    assert msac.best_distinct(poses, costs, 9, **near).tolist() == [1, 3, 4, 5]
    assert msac.best_distinct(poses, costs, 2, **near).tolist() == [1, 3]
    assert msac.best_distinct(poses[:0], costs[:0], 2, **near).tolist() == []


def test_far_from_the_origin_of_the_map_poses_are_told_apart_all_the_same():
    view = random_view(60, 5)
    offset = torch.tensor([300.0, -200.0, 10.0])
    problem = replace(problem_of(view.points, (view.pixels, 1.0)), points=view.points + offset)
    poses = msac.sample_poses(problem.coarse_maps, problem.points, INTRINSICS, 100, seeded())
    pose, _ = msac.cheapest(problem.coarse_maps, problem.points, INTRINSICS, poses, 1)
    shift = torch.eye(4)
    shift[:3, 3] = offset
    assert view.error(pose[0] @ shift).translation < 0.15
