"""Poses of bodies with several cameras, by what all of them see."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from pose.synthetic import HEIGHT, WIDTH, random_view, with_outliers
from pose.synthetic_rig import RigView, surround_rig
from torch import Tensor

from dense_reloc_ros.features.extractor import FeatureLevel
from dense_reloc_ros.geometry.projection import project, projection_jacobian
from dense_reloc_ros.geometry.rig import PointCameras
from dense_reloc_ros.geometry.se3 import exp
from dense_reloc_ros.method_configuration import FeatureMetricConfiguration, NreConfiguration
from dense_reloc_ros.pose.covariance import pose_covariance
from dense_reloc_ros.pose.feature_metric import refine_by_features
from dense_reloc_ros.pose.lo_ransac import robust_rig_pose
from dense_reloc_ros.pose.msac import sample_poses
from dense_reloc_ros.pose.nre import estimate_nre
from dense_reloc_ros.pose.problem import FoundPose, PoseProblem, fine_maps_of
from dense_reloc_ros.pose.rig_problem import joined
from dense_reloc_ros.pose.verification import verify

# Few maps are right here, so that coarse ones are searched however little supports RE's pose.
DEFAULT = NreConfiguration(least_support=0)
SIGMA = DEFAULT.last_sigma


def cameras_of(rig: RigView) -> PointCameras:
    cameras = rig.problem().intrinsics
    assert isinstance(cameras, PointCameras)
    return cameras


def found_in(problem: PoseProblem) -> FoundPose:
    found = estimate_nre(problem, DEFAULT)
    assert found is not None
    return found


def covariance_of(problem: PoseProblem, T_body_map: Tensor) -> Tensor:
    found = fine_maps_of(problem, T_body_map, DEFAULT.window)
    problem = problem.select(found.points)
    maps = found.fine_maps
    return pose_covariance(T_body_map, problem.points, problem.intrinsics, maps, SIGMA)


@pytest.mark.parametrize("seed", range(3))
def test_one_camera_is_a_rig_of_one(seed):
    alone = with_outliers(random_view(250, seed), 0.7, "wrong", seed)
    rig = joined([alone], torch.eye(4)[None])
    expected, found = found_in(alone), found_in(rig)
    torch.testing.assert_close(found.T_camera_map, expected.T_camera_map, rtol=0, atol=1e-5)
    torch.testing.assert_close(found.gains(rig), expected.gains(alone), rtol=0, atol=1e-3)
    options = FeatureMetricConfiguration()
    expected, found = (
        refine_by_features(alone, expected, options),
        refine_by_features(rig, found, options),
    )
    torch.testing.assert_close(found.T_camera_map, expected.T_camera_map, rtol=0, atol=1e-5)
    sizes = [(WIDTH, HEIGHT)]
    assert verify(rig, found, sizes).score == pytest.approx(
        verify(alone, expected, sizes).score, abs=1e-4
    )
    torch.testing.assert_close(
        covariance_of(rig, expected.T_camera_map),
        covariance_of(alone, expected.T_camera_map),
        rtol=1e-3,
        atol=0,
    )


def test_each_point_is_projected_by_its_own_camera():
    rig = surround_rig(3, 20, 1, torch.float64)
    points = torch.cat([view.points for view in rig.views])
    pixels, in_camera = project(rig.T_body_map[None], points, cameras_of(rig))
    torch.testing.assert_close(
        pixels[0], torch.cat([view.pixels for view in rig.views]), rtol=0, atol=1e-4
    )
    assert (in_camera[..., 2] > 1).all()


def test_the_derivative_by_the_bodys_motion_is_that_of_differences():
    rig = surround_rig(3, 10, 2, torch.float64)
    points, cameras = torch.cat([view.points for view in rig.views]), cameras_of(rig).double()
    _, in_camera = project(rig.T_body_map[None], points, cameras)
    found = projection_jacobian(in_camera, cameras)[0]
    step = 1e-6
    for axis in range(6):
        twist = torch.zeros(2, 6, dtype=torch.float64)
        twist[0, axis], twist[1, axis] = step, -step
        ahead, behind = project(exp(twist) @ rig.T_body_map, points, cameras)[0]
        torch.testing.assert_close(
            found[..., axis], (ahead - behind) / (2 * step), rtol=1e-5, atol=1e-4
        )


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("cameras", [2, 4])
def test_cameras_find_together_what_none_of_them_finds_alone(cameras, seed):
    """Each has four right maps among fifty."""
    rig = surround_rig(cameras, 50, seed)
    for alone, mounting in zip(rig.problems(0.92, "wrong"), rig.T_camera_body, strict=True):
        T_body_map = torch.linalg.inv(mounting) @ found_in(alone).T_camera_map
        assert rig.error(T_body_map).translation > 0.2
    found = found_in(rig.problem(0.92))
    assert rig.error(found.T_camera_map).translation < 0.05
    assert np.degrees(rig.error(found.T_camera_map).rotation) < 0.6


@pytest.mark.parametrize("seed", range(3))
def test_correspondences_of_several_cameras_have_one_pose(seed):
    rig = surround_rig(3, 40, seed)
    pixels = torch.cat([view.pixels for view in rig.views])
    points = torch.cat([view.points for view in rig.views])
    wrong = torch.arange(len(pixels)) % 3 == 0
    pixels[wrong] = pixels[wrong].flip(0)
    pose = robust_rig_pose(pixels, points, cameras_of(rig), 3.0)
    assert rig.error(pose).translation < 1e-3
    assert rig.error(pose).rotation < 1e-3


def test_triplets_are_seen_by_one_camera_each():
    rig = surround_rig(2, 60, 5)
    problem = rig.problem()
    generator = torch.Generator().manual_seed(0)
    poses = sample_poses(problem.coarse_maps, problem.points, problem.intrinsics, 40, generator)
    errors = [rig.error(pose) for pose in poses]
    right = [error for error in errors if error.translation < 0.3 and error.rotation < 0.1]
    assert len(right) >= 30


def test_what_the_cameras_know_of_the_pose_adds_up():
    rig = surround_rig(2, 80, 6)
    together = covariance_of(rig.problem(), rig.T_body_map)
    total = torch.zeros(6, 6, dtype=torch.float64)
    for view, mounting, problem in zip(
        rig.views, rig.T_camera_body, rig.problems(0.0, "wrong"), strict=True
    ):
        covariance = covariance_of(problem, view.T_camera_map)
        # From the camera's centre to that of the body, in the axes of the map.
        T_map_camera = torch.linalg.inv(view.T_camera_map.double())
        x, y, z = (T_map_camera[:3, :3] @ mounting[:3, 3].double()).tolist()
        shift = torch.eye(6, dtype=torch.float64)
        shift[:3, 3:] = -torch.tensor([[0, -z, y], [z, 0, -x], [-y, x, 0]])
        total += torch.linalg.inv(shift @ covariance @ shift.T)
    torch.testing.assert_close(together, torch.linalg.inv(total), rtol=1e-2, atol=1e-9)


def cut_to(level: FeatureLevel, width: int) -> FeatureLevel:
    return replace(level, values=level.values[..., : width // level.stride])


def test_images_may_differ_in_size():
    rig = surround_rig(2, 150, 7)
    whole, other = rig.problems(0.5, "uniform")
    half = replace(
        other,
        log_coarse=other.log_coarse[..., : WIDTH // 16].log_softmax(-1),
        coarse_level=cut_to(other.coarse_level, WIDTH // 2),
        fine_level=cut_to(other.fine_level, WIDTH // 2),
    )
    problem = joined([whole, half], rig.T_camera_body)
    found = refine_by_features(problem, found_in(problem), FeatureMetricConfiguration())
    assert rig.error(found.T_camera_map).translation < 0.02
    verification = verify(problem, found, [(WIDTH, HEIGHT), (WIDTH // 2, HEIGHT)])
    visible = verification.inside[150:]
    assert (visible == (rig.views[1].pixels[:, 0] <= WIDTH / 2 - 1)).float().mean() > 0.98
    gains = found.gains(problem)[150:]
    assert (gains[rig.views[1].pixels[:, 0] > WIDTH / 2 + 8] == 0).all()
