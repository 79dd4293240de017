"""How sure a pose is, against how much poses scatter when their maps are noisy."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from pose.synthetic import INTRINSICS, View, random_view
from pose.synthetic_rig import surround_rig
from scipy.linalg import block_diag, expm
from scipy.spatial.transform import Rotation

from dense_reloc_ros.geometry.rig import PointCameras
from dense_reloc_ros.geometry.se3 import inverse, rigid
from dense_reloc_ros.pose.covariance import pose_covariance, shares_of_cameras, to_map_axes
from dense_reloc_ros.pose.gnc import refine
from dense_reloc_ros.pose.loss_maps import LossMaps

STRIDE, GAIN, SIGMA = 4, 5.0, 0.8


def single_cells(view: View, noise: float = 0.0, seed: int = 0) -> LossMaps:
    """Maps with one cell each, off by noise in pixels."""
    shift = torch.randn(view.pixels.shape, generator=torch.Generator().manual_seed(seed))
    gains = torch.full((len(view.points), 1, 1), GAIN)
    return LossMaps(gains, (view.pixels + noise * shift) / STRIDE, STRIDE, 0.0, GAIN)


def map_axes_error(T_camera_map: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Position and rotation vector (6,) of one T_map_camera from another, in the map's axes."""
    T_map_camera, true = inverse(T_camera_map), inverse(truth)
    turn = Rotation.from_matrix(T_map_camera[:3, :3] @ true[:3, :3].T).as_rotvec()
    return np.concatenate([T_map_camera[:3, 3] - true[:3, 3], turn])


def test_poses_scatter_as_the_covariance_says_up_to_its_known_factor():
    view = random_view(60, 0, torch.float64)
    noise, trials = 0.05, 200
    errors = []
    for trial in range(trials):
        (pose,) = refine(
            view.T_camera_map[None],
            view.points,
            INTRINSICS.double(),
            single_cells(view, noise, seed=trial),
            [SIGMA],
            iterations=6,
            tolerance=1e-12,
        )
        errors.append(map_axes_error(pose.numpy(), view.T_camera_map.numpy()))
    covariance = pose_covariance(
        view.T_camera_map, view.points, INTRINSICS, single_cells(view), SIGMA
    ).numpy()
    # GAIN observations with a deviation of SIGMA cells, but the noise was another.
    covariance *= GAIN * (noise / STRIDE / SIGMA) ** 2
    whitened = np.linalg.solve(np.linalg.cholesky(covariance), np.array(errors).T)
    scatter = whitened @ whitened.T / trials
    assert abs(np.trace(scatter) / 6 - 1) < 0.15
    np.testing.assert_allclose(scatter, np.eye(6), atol=0.4)


def test_gains_count_as_observations():
    view = random_view(30, 1)
    maps = single_cells(view)
    twice = replace(maps, gains=2 * maps.gains)
    one = pose_covariance(view.T_camera_map, view.points, INTRINSICS, maps, SIGMA)
    two = pose_covariance(view.T_camera_map, view.points, INTRINSICS, twice, SIGMA)
    assert one.dtype == torch.float64
    torch.testing.assert_close(one, 2 * two, rtol=1e-4, atol=0)
    torch.testing.assert_close(one, one.T)
    assert (torch.linalg.eigvalsh(one) > 0).all()


def test_nothing_seen_is_very_unsure_but_finite():
    view = random_view(10, 2)
    maps = single_cells(view)
    nothing = replace(maps, gains=0 * maps.gains)
    covariance = pose_covariance(view.T_camera_map, view.points, INTRINSICS, nothing, SIGMA)
    assert torch.isfinite(covariance).all()
    assert (covariance.diagonal() > 1e6).all()


def test_twists_become_motions_in_the_axes_of_the_map():
    rng = np.random.default_rng(3)
    pose = rigid(Rotation.random(random_state=rng).as_matrix(), rng.normal(0, 2, 3))
    step = 1e-6
    derivative = np.empty((6, 6))
    for k in range(6):
        (x, y, z), (a, b, c) = step * np.eye(6)[k, :3], step * np.eye(6)[k, 3:]
        twist = np.array([[0, -c, b, x], [c, 0, -a, y], [-b, a, 0, z], [0, 0, 0, 0]])
        derivative[:, k] = map_axes_error(expm(twist) @ pose, pose) / step
    root = rng.normal(size=(6, 6))
    expected = derivative @ root @ root.T @ derivative.T
    found = to_map_axes(torch.from_numpy(root @ root.T), torch.from_numpy(pose))
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-4)
    # A camera that looks along the map's x axis is unsure along its own z axis.
    looking_along_x = np.eye(4)
    looking_along_x[:3, :3] = np.array([[0, 0, 1], [-1, 0, 0], [0, -1, 0]]).T
    deep = torch.from_numpy(block_diag(np.diag([1.0, 1.0, 9.0]), np.diag([1.0, 1.0, 4.0])))
    turned = to_map_axes(deep, torch.from_numpy(looking_along_x))
    torch.testing.assert_close(turned.diagonal(), deep.new_tensor([9, 1, 1, 4, 1, 1]))


def test_what_points_know_counts_by_the_inflation_of_each():
    view = random_view(60, 0, torch.float64)
    maps, first = single_cells(view), torch.arange(60) < 30

    def covariance(points: torch.Tensor, inflations: torch.Tensor | float) -> np.ndarray:
        return pose_covariance(
            view.T_camera_map,
            view.points[points],
            INTRINSICS.double(),
            maps.select(points.nonzero()[:, 0]),
            SIGMA,
            inflations,
        ).numpy()

    every = torch.ones(60, dtype=torch.bool)
    np.testing.assert_allclose(covariance(every, 7.0), 7 * covariance(every, 1.0), rtol=1e-4)
    information = np.linalg.inv(covariance(first, 1.0)) / 2
    information += np.linalg.inv(covariance(~first, 1.0)) / 8
    found = covariance(every, torch.where(first, 2.0, 8.0))
    np.testing.assert_allclose(np.linalg.inv(found), information, rtol=1e-4, atol=1e-3)
    # An image that adds nothing to the others has an infinite one.
    alone = covariance(every, torch.where(first, 2.0, torch.inf))
    np.testing.assert_allclose(alone, 2 * covariance(first, 1.0), rtol=1e-4)


def test_a_pose_moves_with_a_camera_by_the_share_that_it_has_of_it():
    """The second camera hangs elsewhere than said, so that it alone would give another pose."""
    rig = surround_rig(3, 60, 0, torch.float64)
    points = torch.cat([view.points for view in rig.views])
    pixels = torch.cat([view.pixels for view in rig.views])
    index = torch.arange(3).repeat_interleave(60)
    maps = LossMaps(torch.full((180, 1, 1), GAIN), pixels / STRIDE, STRIDE, 0.0, GAIN)
    wrong = torch.from_numpy(rigid(Rotation.from_rotvec([1e-3, 2e-3, 0]).as_matrix(), [2e-3, 0, 0]))
    mounting = rig.T_camera_body.clone()
    mounting[1] = wrong @ mounting[1]
    cameras = PointCameras(INTRINSICS.double().expand(3, 4), mounting, index)
    (moved,) = refine(
        rig.T_body_map[None], points, cameras, maps, [SIGMA], iterations=20, tolerance=1e-12
    )
    shares = shares_of_cameras(rig.T_body_map, points, cameras, maps, SIGMA, torch.ones(180))
    torch.testing.assert_close(shares.sum(0), torch.eye(6).double(), atol=1e-6, rtol=0.0)
    truth = rig.T_body_map.numpy()
    alone = torch.linalg.inv(mounting[1]) @ rig.T_camera_body[1] @ rig.T_body_map
    expected = shares[1].numpy() @ map_axes_error(alone.numpy(), truth)
    np.testing.assert_allclose(map_axes_error(moved.numpy(), truth), expected, atol=1e-4)
