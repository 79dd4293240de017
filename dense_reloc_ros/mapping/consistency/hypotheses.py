"""What poses could mean instead, and how well images agree with each meaning.

Rotations of rigidly connected bodies and their mounting follow the classical hand-eye equations
(Tsai and Lenz, A new technique for fully autonomous and efficient 3D robotics hand/eye calibration,
1989): R_A X = X R_B, and (R_A - I) t_X = R_X t_B - t_A.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from dense_reloc_ros.geometry.arrays import FloatArray
from dense_reloc_ros.geometry.se3 import inverse, project_to_so3, rigid
from dense_reloc_ros.mapping.consistency.view_pairs import ViewPair, angles
from dense_reloc_ros.mapping.sources.pose_convention import AXES, DIRECTIONS, PoseConvention

LEAST_PARALLAX = np.deg2rad(1.0)
"""Angles of points that translation alone moves, from which scale can be read."""
LEAST_TURNS = 4
"""Pairs with a rotation that a mounting is estimated from."""
LEAST_TURN = np.deg2rad(3.0)


@dataclass(frozen=True)
class Agreement:
    """How far images and a meaning of the poses are apart, over all pairs of frames."""

    convention: PoseConvention
    mounting: FloatArray | None
    """T_given_camera (4, 4) of poses that are another body's; None where they are the camera's."""
    depth_factor: float
    """What the depth must be divided by; 1 where it is taken as it is."""
    errors: FloatArray
    """(P,) of each pair the median angle, radians, between where points are seen and where
    they should be."""
    turns: FloatArray
    """(P,) radians by which each rotation is off from that of the images."""

    @property
    def error(self) -> float:
        """Radians; the median over the pairs."""
        return float(np.median(self.errors))


def as_given(pairs: Sequence[ViewPair], poses: FloatArray, convention: PoseConvention) -> Agreement:
    """The agreement of images with the poses T_map_camera (K, 4, 4) as they are understood."""
    return _agreement(pairs, convention, None, 1.0, _relative(pairs, poses))


def alternatives(
    pairs: Sequence[ViewPair], poses: FloatArray, convention: PoseConvention, has_depth: bool
) -> list[Agreement]:
    """The agreement with other meanings of the same poses, the simplest first."""
    given = convention.given(poses)
    found = []
    mounted = []
    for direction in sorted(DIRECTIONS, key=lambda d: d != convention.poses):
        for axes in sorted(AXES, key=lambda a: a != convention.axes):
            other = PoseConvention(direction, axes, convention.scale)
            motions = _relative(pairs, other.T_map_camera(given))
            factor = depth_factor(pairs, motions) if has_depth else None
            if factor is not None:
                found.append(_agreement(pairs, other, None, factor, motions))
            if other != convention:
                found.append(_agreement(pairs, other, None, 1.0, motions))
        plain = PoseConvention(direction, "opencv", convention.scale)
        motions = _relative(pairs, plain.T_map_camera(given))
        mounting = _mounting(pairs, motions)
        if mounting is not None:
            moved = np.stack([inverse(mounting) @ motion @ mounting for motion in motions])
            mounted.append(_agreement(pairs, plain, mounting, 1.0, moved))
    return found + mounted


def depth_factor(pairs: Sequence[ViewPair], motions: FloatArray) -> float | None:
    """How many times too large the depth is against the poses; None where nothing tells.

    Motions are T_second_first (P, 4, 4). Of each pair it is the factor at which points seen from
    the first frame appear in the second one where they are.
    """
    factors = []
    for pair, motion in zip(pairs, motions, strict=True):
        if not motion[:3, 3].any():
            continue
        for forward in (True, False):
            rays, seen, depths, T = _one_way(pair, motion, forward)
            turned = rays * depths[:, None] @ T[:3, :3].T
            # X = turned / f + t must be parallel to `seen`: seen x turned / f = -seen x t.
            a, b = np.cross(seen, turned), -np.cross(seen, T[:3, 3])
            size = np.linalg.norm(seen, axis=1) * np.linalg.norm(turned, axis=1)
            far = np.linalg.norm(a, axis=1) > np.sin(LEAST_PARALLAX) * size
            if far.sum() >= 10:
                values = (b * b).sum(1)[far] / (a * b).sum(1)[far]
                factors.append(float(np.median(1.0 / np.maximum(values, 1e-12))))
    if len(factors) < 4:
        return None
    factor = float(np.median(factors))
    return factor if 1e-6 < factor < 1e6 else None


def turn_difference(pairs: Sequence[ViewPair], poses: FloatArray) -> float:
    """Median difference, radians, of how far poses and images turn, whatever about.

    It is 0 for any body that the camera is mounted on, and for inverted poses.
    """
    motions = _relative(pairs, poses)
    by_images = Rotation.from_matrix(np.stack([p.R_second_first for p in pairs])).magnitude()
    by_poses = Rotation.from_matrix(motions[:, :3, :3]).magnitude()
    return float(np.median(np.abs(by_images - by_poses)))


def _relative(pairs: Sequence[ViewPair], poses: FloatArray) -> FloatArray:
    """T_second_first (P, 4, 4)."""
    return np.stack([inverse(poses[p.second]) @ poses[p.first] for p in pairs])


def _agreement(
    pairs: Sequence[ViewPair],
    convention: PoseConvention,
    mounting: FloatArray | None,
    factor: float,
    motions: FloatArray,
) -> Agreement:
    errors = [_error(pair, motion, factor) for pair, motion in zip(pairs, motions, strict=True)]
    by_images = np.stack([pair.R_second_first for pair in pairs])
    turns = Rotation.from_matrix(by_images.mT @ motions[:, :3, :3]).magnitude()
    return Agreement(convention, mounting, factor, np.array(errors), turns)


def _error(pair: ViewPair, motion: FloatArray, factor: float) -> float:
    parts = []
    for forward in (True, False):
        rays, seen, depths, T = _one_way(pair, motion, forward)
        if len(rays) >= 10:
            moved = rays * (depths / factor)[:, None] @ T[:3, :3].T + T[:3, 3]
            parts.append(angles(moved, seen))
    if parts:
        return float(np.median(np.concatenate(parts)))
    return _epipolar_error(pair, motion)


def _epipolar_error(pair: ViewPair, motion: FloatArray) -> float:
    """Without depth: angles from the epipolar planes, or of all the rest where points would lie
    behind the cameras."""
    first = pair.rays[0] @ motion[:3, :3].T
    second, t = pair.rays[1], motion[:3, 3]
    apart = angles(first, second)
    if np.linalg.norm(t) < 1e-9:
        return float(np.median(apart))
    normals = np.cross(t, first)
    sine = np.abs((normals * second).sum(1))
    size = np.linalg.norm(normals, axis=1) * np.linalg.norm(second, axis=1)
    off = np.arcsin(np.clip(sine / np.maximum(size, 1e-12), 0.0, 1.0))
    far = apart > LEAST_PARALLAX
    if far.sum() >= 10:
        # second x first has the direction of second x -t where the point is in front of both.
        side = (np.cross(second, first) * np.cross(second, -t)).sum(1)[far]
        if (side > 0).mean() < 0.5:
            return float(np.median(apart))
    return float(np.median(off))


def _one_way(
    pair: ViewPair, motion: FloatArray, forward: bool
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Rays with known depth of one frame, the same points' in the other, depths, T_other_one."""
    one, other = (0, 1) if forward else (1, 0)
    known = np.isfinite(pair.depths[one])
    rays, seen = pair.rays[one][known], pair.rays[other][known]
    return rays, seen, pair.depths[one][known], motion if forward else inverse(motion)


def _mounting(pairs: Sequence[ViewPair], motions: FloatArray) -> FloatArray | None:
    """T_given_camera (4, 4) of a body that the camera is mounted on; None where turns are few.

    Its rotation follows from the axes of rotation, its position from the depth where there is some.
    """
    by_images = Rotation.from_matrix(np.stack([p.R_second_first for p in pairs])).as_rotvec()
    by_poses = Rotation.from_matrix(motions[:, :3, :3]).as_rotvec()
    turning = np.linalg.norm(by_images, axis=1) > LEAST_TURN
    if turning.sum() < LEAST_TURNS:
        return None
    X = project_to_so3(by_poses[turning].T @ by_images[turning])
    rows, values = [], []
    for pair, motion in zip(pairs, motions, strict=True):
        t_camera = _translation(pair)
        if t_camera is not None:
            rows.append(motion[:3, :3] - np.eye(3))
            values.append(X @ t_camera - motion[:3, 3])
    if len(rows) < LEAST_TURNS:
        return rigid(X, np.zeros(3))
    position, *_ = np.linalg.lstsq(np.concatenate(rows), np.concatenate(values), rcond=1e-2)
    return rigid(X, position)


def _translation(pair: ViewPair) -> FloatArray | None:
    """t_second_first (3,) in metres by the images' rotation and the first frame's depth."""
    known = np.isfinite(pair.depths[0])
    if known.sum() < 10:
        return None
    turned = pair.rays[0][known] * pair.depths[0][known, None] @ pair.R_second_first.T
    seen = pair.rays[1][known]
    seen = seen / np.linalg.norm(seen, axis=1, keepdims=True)
    # seen x (turned + t) = 0, each point weighted by its nearness.
    across = np.eye(3) - seen[:, :, None] * seen[:, None, :]
    weights = 1.0 / np.linalg.norm(turned, axis=1) ** 2
    t = np.zeros(3)
    for _ in range(5):
        A = np.einsum("n,nij->ij", weights, across)
        b = -np.einsum("n,nij,nj->i", weights, across, turned)
        t = np.linalg.solve(A, b)
        residual = np.linalg.norm(np.einsum("nij,nj->ni", across, turned + t), axis=1)
        distance = np.linalg.norm(turned, axis=1)
        weights = 1.0 / distance**2 / (1.0 + (residual / (0.01 * distance)) ** 2)
    return np.asarray(t)
