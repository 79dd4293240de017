"""What a depth camera gets wrong with distance, found from keypoints that several keyframes see.

Depth cameras err by a percent or two, smoothly with the distance (Herrera C. et al., Joint Depth
and Color Camera Calibration with Distortion Correction, TPAMI 2012). A keypoint lifted by one
keyframe and seen in another projects beside its place there when its depth is wrong, so the
keyframes' own poses calibrate the depth.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from dense_reloc_ros.geometry.arrays import FloatArray
from dense_reloc_ros.mapping.tracks import PIXEL_SIGMA, Indices, LiftedKeyframe, link_keypoints

NODES = 6
NODE_QUANTILES = (0.02, 0.98)
"""The nodes spread evenly over the readings between these quantiles."""
PRIOR_SIGMA = 0.03
"""Standard deviation of the correction where nothing is known about it."""
BIAS_PIXELS = 0.2
"""What all keypoints may have in common, so that no number of them makes up for it."""
LARGEST = 0.06
"""A larger error is not the depth camera's."""
ROUNDS = 5
"""Of linking keypoints with the depth corrected so far, and correcting it further."""
MAXIMUM_PAIRS = 200_000
_ROBUST_ITERATIONS = 8
_TRACK_GAP = 12
"""An observation is compared with this many that follow it in its track."""


@dataclass(frozen=True)
class DepthCorrection:
    """How much farther things are than the camera says, linear between nodes."""

    readings: FloatArray
    """(N,) metres along the optical axis, increasing."""
    shares: FloatArray
    """(N,), 0.01 = 1 % farther."""

    def at(self, readings: FloatArray) -> FloatArray:
        """The shares (M,) for readings (M,) in metres."""
        return np.asarray(np.interp(readings, self.readings, self.shares))

    def applied_to(self, keyframe: LiftedKeyframe) -> LiftedKeyframe:
        """The keyframe with its points moved along their rays."""
        centre = keyframe.T_map_camera[:3, 3]
        stretch = 1.0 + self.at(keyframe.to_camera(keyframe.points)[:, 2])
        return replace(keyframe, points=centre + (keyframe.points - centre) * stretch[:, None])


class _Views(NamedTuple):
    """All keypoints of all keyframes in one row, and whose they are."""

    keyframe: Indices
    """(N,)."""
    readings: FloatArray
    """(N,) metres, not corrected."""
    pixels: FloatArray
    """(N, 2)."""
    rotations: FloatArray
    """(K, 3, 3) of T_map_camera."""
    centres: FloatArray
    """(K, 3)."""
    focals: FloatArray
    """(K, 2)."""
    principals: FloatArray
    """(K, 2)."""


def fit_depth_correction(keyframes: Sequence[LiftedKeyframe]) -> DepthCorrection:
    """The correction under which the keyframes' lifted keypoints agree best with each other.

    Where keypoints are not shared, or not seen from different places, there is none.
    """
    views = _views(keyframes)
    quantiles = np.linspace(*NODE_QUANTILES, NODES)
    nodes = np.unique(np.quantile(views.readings, quantiles))
    correction = DepthCorrection(nodes, np.zeros(len(nodes)))
    for _ in range(ROUNDS):
        corrected = [correction.applied_to(keyframe) for keyframe in keyframes]
        tracks = np.concatenate(link_keypoints(corrected))
        points = np.concatenate([keyframe.points for keyframe in corrected])
        step = _step(views, points, _pairs(tracks), correction)
        shares = np.clip(correction.shares + step, -LARGEST, LARGEST)
        correction = replace(correction, shares=shares)
    return correction


def _views(keyframes: Sequence[LiftedKeyframe]) -> _Views:
    cameras = [keyframe.camera for keyframe in keyframes]
    poses = np.stack([keyframe.T_map_camera for keyframe in keyframes])
    counts = [len(keyframe.pixels) for keyframe in keyframes]
    local = [keyframe.to_camera(keyframe.points) for keyframe in keyframes]
    return _Views(
        keyframe=np.repeat(np.arange(len(keyframes)), counts),
        readings=np.concatenate(local)[:, 2],
        pixels=np.concatenate([keyframe.pixels for keyframe in keyframes]).astype(np.float64),
        rotations=poses[:, :3, :3],
        centres=poses[:, :3, 3],
        focals=np.array([[camera.fx, camera.fy] for camera in cameras]),
        principals=np.array([[camera.cx, camera.cy] for camera in cameras]),
    )


def _pairs(tracks: Indices) -> tuple[Indices, Indices]:
    """Keypoints that are the same point, each pair both ways round, not too many."""
    order = np.argsort(tracks, kind="stable")
    ordered = tracks[order]
    first, second = [], []
    for gap in range(1, _TRACK_GAP + 1):
        same = np.flatnonzero(ordered[:-gap] == ordered[gap:])
        first += [order[same], order[same + gap]]
        second += [order[same + gap], order[same]]
    a, b = np.concatenate(first), np.concatenate(second)
    if len(a) > MAXIMUM_PAIRS:
        chosen = np.random.default_rng(0).choice(len(a), MAXIMUM_PAIRS, replace=False)
        a, b = a[chosen], b[chosen]
    return a, b


def _step(
    views: _Views,
    points: FloatArray,
    pairs: tuple[Indices, Indices],
    correction: DepthCorrection,
) -> FloatArray:
    """By how much to change the shares (N,): robust least squares over pixel errors of pairs.

    `points` (all keypoints', 3) are lifted with the correction so far.
    """
    a, b = pairs
    errors, slopes = _errors(views, points, a, b)
    basis = _basis(views.readings[a], correction.readings)
    jacobian = slopes[:, :, None] * basis[:, None, :]
    prior = (PIXEL_SIGMA**2 + basis.sum(axis=0) * BIAS_PIXELS**2) / PRIOR_SIGMA**2
    step = np.zeros(len(correction.shares))
    weights = np.ones(len(a))
    for _ in range(_ROBUST_ITERATIONS):
        weighted = jacobian * weights[:, None, None]
        hessian = np.einsum("nki,nkj->ij", weighted, jacobian) + np.diag(prior)
        gradient = np.einsum("nki,nk->i", weighted, errors) - prior * correction.shares
        step = np.linalg.solve(hessian, gradient)
        rest = errors - np.einsum("nki,i->nk", jacobian, step)
        weights = 1.0 / (1.0 + (rest**2).sum(axis=1) / PIXEL_SIGMA**2)
    return np.asarray(step)


def _errors(
    views: _Views, points: FloatArray, a: Indices, b: Indices
) -> tuple[FloatArray, FloatArray]:
    """Where the keyframes of `b` see points minus where those lifted by `a` project, (N, 2).

    And how the projections move, (N, 2), per share that `a`'s depth grows.
    """
    origin, target = views.keyframe[a], views.keyframe[b]
    rotations, focals = views.rotations[target], views.focals[target]
    local = np.einsum("nij,ni->nj", rotations, points[a] - views.centres[target])
    moved = np.einsum("nij,ni->nj", rotations, points[a] - views.centres[origin])
    depth = local[:, 2:]
    plane = local[:, :2] / depth
    errors = views.pixels[b] - (plane * focals + views.principals[target])
    slopes = (moved[:, :2] - plane * moved[:, 2:]) / depth * focals
    return errors, slopes


def _basis(readings: FloatArray, nodes: FloatArray) -> FloatArray:
    """Weights (M, N) of the nodes in the linear interpolation at readings (M,)."""
    return np.stack([np.interp(readings, nodes, unit) for unit in np.eye(len(nodes))], axis=1)
