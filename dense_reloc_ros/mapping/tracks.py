"""Merges points that several keyframes see, and places each where its observations agree."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from dense_reloc_ros.geometry.arrays import FloatArray
from dense_reloc_ros.geometry.camera import Camera

Indices = NDArray[np.int64]

NEIGHBOURS = 20
"""Earlier keyframes that a new one is compared with."""
MAXIMUM_TURN = np.deg2rad(50.0)
"""Keyframes whose optical axes differ by more see too little alike."""
MERGE_PIXELS = 2.0
"""Observations of one point project onto each other within this distance."""
MERGE_DEPTH_SHARE = 0.03
"""... and lie together in space within this share of their depth."""
PIXEL_SIGMA = 1.0
DEPTH_SIGMA_SHARE = 0.02
"""Standard deviations of a keypoint and of its depth, relative to the depth."""
DETACH_PIXELS = 3.0
"""An observation that its point misses by more is a point of its own."""
_ROBUST_ITERATIONS = 4


@dataclass(frozen=True)
class LiftedKeyframe:
    """The keypoints of a keyframe with a point in space for each."""

    camera: Camera
    """Without distortion."""
    T_map_camera: FloatArray
    pixels: NDArray[np.float32]
    """(N, 2)."""
    points: FloatArray
    """(N, 3), metres in the map frame."""

    def to_camera(self, points: FloatArray) -> FloatArray:
        """Points (N, 3) of the map in the camera's frame."""
        return np.asarray((points - self.T_map_camera[:3, 3]) @ self.T_map_camera[:3, :3])

    def project(self, points: FloatArray) -> FloatArray:
        """Pixels (N, 2) of points (N, 3) of the map; infinite behind the camera."""
        return np.nan_to_num(self.camera.project(self.to_camera(points)), nan=np.inf)


def merge_points(keyframes: Sequence[LiftedKeyframe]) -> tuple[FloatArray, list[Indices]]:
    """The points of a map: one for every set of observations that agree.

    Args:
        keyframes: at least one.

    Returns:
        Points (P, 3) in metres in the map frame, and for each keyframe the index of the point of
        each of its keypoints (N,). A keyframe sees a point at most once.
    """
    tracks = link_keypoints(keyframes)
    counts = [len(track) for track in tracks]
    flat = _detach_misfits(keyframes, np.concatenate(tracks))
    flat = np.unique(flat, return_inverse=True)[1].astype(np.int64)
    return _place(keyframes, flat), np.split(flat, np.cumsum(counts)[:-1])


def link_keypoints(keyframes: Sequence[LiftedKeyframe]) -> list[Indices]:
    """For each keyframe the point of each keypoint, from neighbouring earlier keyframes or new."""
    trees = [cKDTree(keyframe.pixels) for keyframe in keyframes]
    tracks: list[Indices] = []
    next_point = 0
    for index, keyframe in enumerate(keyframes):
        track = np.full(len(keyframe.pixels), -1, dtype=np.int64)
        misses = np.full(len(keyframe.pixels), np.inf)
        for other in _neighbours(keyframes, index):
            _continue_tracks(keyframe, keyframes[other], trees[other], tracks[other], track, misses)
        _keep_best_of_each(track, misses)
        is_new = track < 0
        track[is_new] = next_point + np.arange(is_new.sum())
        next_point += int(is_new.sum())
        tracks.append(track)
    return tracks


def _neighbours(keyframes: Sequence[LiftedKeyframe], index: int) -> Indices:
    """The nearest earlier keyframes that look in a similar direction."""
    if index == 0:
        return np.empty(0, dtype=np.int64)
    poses = np.stack([keyframe.T_map_camera for keyframe in keyframes[: index + 1]])
    distances = np.linalg.norm(poses[:-1, :3, 3] - poses[-1, :3, 3], axis=1)
    cosines = poses[:-1, :3, 2] @ poses[-1, :3, 2]
    nearest = np.argsort(np.where(cosines > np.cos(MAXIMUM_TURN), distances, np.inf))[:NEIGHBOURS]
    return nearest[cosines[nearest] > np.cos(MAXIMUM_TURN)]


def _continue_tracks(
    keyframe: LiftedKeyframe,
    other: LiftedKeyframe,
    tree: cKDTree,
    other_track: Indices,
    track: Indices,
    misses: FloatArray,
) -> None:
    """Takes over the points of `other` that keypoints hit better than in `misses`; in place."""
    projected = other.project(keyframe.points)
    inside = np.isfinite(projected).all(axis=1)
    if not inside.any() or not len(other.pixels):
        return
    distance = np.full(len(projected), np.inf)
    nearest = np.zeros(len(projected), dtype=np.int64)
    distance[inside], nearest[inside] = tree.query(
        projected[inside], distance_upper_bound=MERGE_PIXELS
    )
    candidates = np.flatnonzero(distance < misses)
    hit = nearest[candidates]
    gaps = np.linalg.norm(keyframe.points[candidates] - other.points[hit], axis=1)
    depths = other.to_camera(other.points[hit])[:, 2]
    agrees = gaps < MERGE_DEPTH_SHARE * depths
    track[candidates[agrees]] = other_track[hit[agrees]]
    misses[candidates[agrees]] = distance[candidates[agrees]]


def _keep_best_of_each(track: Indices, misses: FloatArray) -> None:
    """Leaves each point to the keypoint that hits it best and frees the others; in place."""
    order = np.lexsort((misses, track))
    is_repeated = np.zeros(len(track), dtype=bool)
    is_repeated[order[1:]] = track[order[1:]] == track[order[:-1]]
    track[is_repeated] = -1


def _detach_misfits(keyframes: Sequence[LiftedKeyframe], flat: Indices) -> Indices:
    """Makes points of their own of observations that their placed point misses in the image."""
    placed = np.split(
        _place(keyframes, flat)[flat], np.cumsum([len(k.pixels) for k in keyframes])[:-1]
    )
    misses = [
        np.linalg.norm(keyframe.project(points) - keyframe.pixels, axis=1)
        for keyframe, points in zip(keyframes, placed, strict=True)
    ]
    is_misfit = np.concatenate(misses) > DETACH_PIXELS
    detached = flat.copy()
    detached[is_misfit] = flat.max(initial=-1) + 1 + np.arange(is_misfit.sum())
    return detached


def _place(keyframes: Sequence[LiftedKeyframe], flat: Indices) -> FloatArray:
    """The mean (P, 3) of the observations of each point, weighted by what each knows.

    An observation is sure across its ray and unsure along it; the information matrices of all are
    summed (the Gauss-Newton step of bundle adjustment with fixed poses), re-weighted after Cauchy
    so that a wrong depth does not pull.
    """
    if not len(flat):
        return np.empty((0, 3))
    lifted = np.concatenate([keyframe.points for keyframe in keyframes])
    information = np.concatenate([_information(keyframe) for keyframe in keyframes])
    count = int(flat.max()) + 1
    weights = np.ones(len(flat))
    placed = np.zeros((count, 3))
    for _ in range(_ROBUST_ITERATIONS):
        weighted = information * weights[:, None, None]
        total = _sum_by_point(weighted, flat, count)
        pull = _sum_by_point(np.einsum("nij,nj->ni", weighted, lifted), flat, count)
        used = np.bincount(flat, minlength=count) > 0
        placed[used] = np.linalg.solve(total[used], pull[used, :, None])[..., 0]
        gaps = lifted - placed[flat]
        weights = 1.0 / (1.0 + np.einsum("ni,nij,nj->n", gaps, information, gaps) / 3.0)
    return placed


def _information(keyframe: LiftedKeyframe) -> FloatArray:
    """Inverse covariances (N, 3, 3) in the map frame of the points that a keyframe lifts."""
    local = keyframe.to_camera(keyframe.points)
    z = local[:, 2]
    jacobian = np.zeros((len(z), 3, 3))
    jacobian[:, 0, 0] = PIXEL_SIGMA * z / keyframe.camera.fx
    jacobian[:, 1, 1] = PIXEL_SIGMA * z / keyframe.camera.fy
    jacobian[:, :, 2] = DEPTH_SIGMA_SHARE * local
    inverse = np.linalg.inv(keyframe.T_map_camera[:3, :3] @ jacobian)
    return np.asarray(np.swapaxes(inverse, 1, 2) @ inverse)


def _sum_by_point(values: FloatArray, flat: Indices, count: int) -> FloatArray:
    """Sums (count, ...) of values (N, ...) that belong to the same point."""
    total = np.zeros((count, *values.shape[1:]))
    np.add.at(total, flat, values)
    return total
