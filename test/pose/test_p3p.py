"""P3P against PoseLib's solver on random and degenerate triplets."""

import numpy as np
import poselib
import pytest
import torch
from scipy.spatial.transform import Rotation

from dense_reloc_ros.pose.p3p import p3p


def random_problems(count: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Bearings (N, 3, 3), points (N, 3, 3) and the true T_camera_map (N, 4, 4)."""
    rng = np.random.default_rng(seed)
    in_camera = np.concatenate(
        [rng.uniform(-0.8, 0.8, (count, 3, 2)), np.ones((count, 3, 1))], axis=-1
    ) * rng.uniform(0.5, 8.0, (count, 3, 1))
    T_camera_map = np.tile(np.eye(4), (count, 1, 1))
    T_camera_map[:, :3, :3] = Rotation.random(count, random_state=seed).as_matrix()
    T_camera_map[:, :3, 3] = rng.normal(0, 3, (count, 3))
    in_map = (in_camera - T_camera_map[:, None, :3, 3]) @ T_camera_map[:, :3, :3]
    return in_camera / np.linalg.norm(in_camera, axis=-1, keepdims=True), in_map, T_camera_map


def solve(bearings: np.ndarray, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    poses, exists = p3p(torch.from_numpy(bearings), torch.from_numpy(points))
    return poses.numpy(), exists.numpy()


def poselib_solutions(bearings: np.ndarray, points: np.ndarray) -> list[np.ndarray]:
    return [np.asarray(p.Rt) for p in poselib.p3p(list(bearings), list(points))]


def test_true_pose_is_among_the_solutions_as_often_as_poselib_finds_it() -> None:
    bearings, points, truth = random_problems(10_000, seed=1)
    poses, exists = solve(bearings, points)
    error = np.abs(poses - truth[:, None]).max((-1, -2))
    ours = (np.where(exists, error, np.inf).min(1) < 1e-4).mean()
    theirs = np.mean(
        [
            min((np.abs(s - t[:3]).max() for s in poselib_solutions(b, p)), default=np.inf) < 1e-4
            for b, p, t in zip(bearings, points, truth, strict=True)
        ]
    )
    assert ours >= theirs - 1e-3
    assert ours > 0.998


def test_solutions_are_those_of_poselib() -> None:
    bearings, points, _ = random_problems(10_000, seed=2)
    poses, exists = solve(bearings, points)
    missed = spurious = total = 0
    for b, p, solutions, valid in zip(bearings, points, poses, exists, strict=True):
        expected = poselib_solutions(b, p)
        found = solutions[valid][:, :3]
        total += len(expected)
        missed += sum(all(np.abs(e - f).max() > 1e-3 for f in found) for e in expected)
        spurious += sum(not reprojects(f, b, p) for f in found)
    assert spurious == 0
    assert missed < 0.005 * total


def reprojects(pose: np.ndarray, bearings: np.ndarray, points: np.ndarray) -> bool:
    in_camera = points @ pose[:, :3].T + pose[:, 3]
    directions = in_camera / np.linalg.norm(in_camera, axis=-1, keepdims=True)
    rigid = np.abs(pose[:, :3] @ pose[:, :3].T - np.eye(3)).max() < 1e-8
    return rigid and bool(np.abs(directions - bearings).max() < 1e-6)


@pytest.mark.parametrize("degeneracy", ["collinear", "equal points", "equal rays", "zeros"])
def test_degenerate_triplets_give_no_pose_and_no_exception(degeneracy: str) -> None:
    bearings, points, _ = random_problems(200, seed=3)
    if degeneracy == "collinear":
        points[:, 2] = 2 * points[:, 1] - points[:, 0]
    elif degeneracy == "equal points":
        points[:, 2] = points[:, 1]
    elif degeneracy == "equal rays":
        bearings[:, 1] = bearings[:, 0]
        bearings[:, 2] = bearings[:, 0]
    else:
        points[:] = 0.0
    poses, exists = solve(bearings, points)
    assert np.isfinite(poses).all()
    for b, p, solutions, valid in zip(bearings, points, poses, exists, strict=True):
        assert all(reprojects(s[:3], b, p) for s in solutions[valid])


def test_points_in_a_plane_facing_the_camera() -> None:
    points = np.array([[[0.0, 0, 2], [1, 0, 2], [0, 1, 2]]])
    bearings = points / np.linalg.norm(points, axis=-1, keepdims=True)
    poses, exists = solve(bearings, points)
    # A double root of the quartic: known to the square root of the machine's precision only.
    assert np.abs(poses[exists] - np.eye(4)).max((-1, -2)).min() < 1e-7
