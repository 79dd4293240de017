"""Is a pose right? Its support in the image against what a wrong pose reaches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dense_reloc_ros.geometry.arrays import FloatArray
from dense_reloc_ros.geometry.camera import MINIMUM_DEPTH
from dense_reloc_ros.geometry.projection import project
from dense_reloc_ros.geometry.rig import PointCameras
from dense_reloc_ros.pose.evidence import PoseEvidence
from dense_reloc_ros.pose.problem import FoundPose, PoseProblem

Floats = NDArray[np.float32]

SUPPORT_SHARE = 0.35
"""A point supports a pose when its loss map gains this share of the most a map can gain."""
GRID = (8, 6)
"""Columns and rows of the cells that the spread of the supporting points is counted in."""
WIDE_SPREAD = 24
"""Supported cells, half of the image, from which on more do not raise the score.

Wrong poses gain much in few places: on something that looks like a part of the map.
"""
SUREST_MAPS = 400
"""Coarse maps, those with the highest gains, whose best pixels are compared with the pose."""
NEAR_CELLS = 1.5
"""Cells of the coarse maps within which a best pixel agrees."""


@dataclass(frozen=True)
class Verification:
    """What speaks for a pose."""

    supporting: Tensor
    """(M,) bool: points whose loss map gains enough where the pose puts them."""
    inside: Tensor
    """(M,) bool: points that the pose puts into the image."""
    gains: Tensor
    """(M,) what each point gains over an outlier, as a share of the most that a map can gain."""
    mean_gain: float
    """Of the visible points, as a share of the most that a map can gain."""
    cells: NDArray[np.int64]
    """(S,) of the image's grid, those in which a point supports the pose; the cells of a rig's
    images follow one another."""
    agreement: float
    """Share of the surest coarse maps whose best pixel is where the pose puts the point."""
    depth_spread: float
    """Standard deviation of the logarithm of the supporting points' depth."""
    median_depth: float
    """Of the supporting points; of all points in front of the camera where none supports."""

    @property
    def visible(self) -> int:
        """How many points the pose puts into the image."""
        return int(self.inside.sum())

    @property
    def spread(self) -> int:
        """In how many cells of the image's grid a point supports the pose; of all of a rig's."""
        return len(self.cells)

    def spread_shares(self, images: int) -> FloatArray:
        """The cells that each of some images adds (C,), as a share of those of an image."""
        per_image = GRID[0] * GRID[1]
        return np.bincount(self.cells // per_image, minlength=images) / per_image

    @property
    def spread_share(self) -> float:
        """The cells in which a point supports the pose, as a share of those of an image.

        Points all over one image say as much as points in half of two, and no image is worth more.
        """
        return min(1.0, self.spread / (GRID[0] * GRID[1]))

    @property
    def score(self) -> float:
        """From 0 to 1: how much of what should be seen is seen, less where it is in few places.

        The root makes the score linear in the distance that the gains stand for; poses in the dark
        would otherwise crowd at the bottom.
        """
        return float(max(0.0, self.mean_gain) ** 0.5 * min(1.0, self.spread / WIDE_SPREAD))


def verify(
    problem: PoseProblem, found: FoundPose, sizes: Sequence[tuple[int, int]]
) -> Verification:
    """The support of a pose by the fine loss maps it was found on.

    `sizes` are the width and height of the image, or of each image of a rig.
    """
    projected, in_camera = project(found.T_camera_map[None], problem.points, problem.intrinsics)
    pixels, depth = projected[0].cpu().numpy(), in_camera[0, :, 2].cpu().numpy()
    every_size = np.array(sizes, np.float32)
    size = every_size[0 if problem.images is None else problem.images.cpu().numpy()]
    inside = ((pixels >= 0) & (pixels <= size - 1)).all(-1)
    gains = found.gains(problem).cpu().numpy() / found.fine_maps.outlier_loss
    supporting = inside & (gains > SUPPORT_SHARE)
    if problem.images is None:
        index = _cells(pixels[supporting], size)
    else:
        index = _cells_of_rig(problem, found.T_camera_map, supporting, every_size)
    in_front = depth[supporting] if supporting.any() else depth[depth > MINIMUM_DEPTH]
    return Verification(
        supporting=torch.from_numpy(supporting),
        inside=torch.from_numpy(inside),
        gains=torch.from_numpy(gains),
        mean_gain=float(gains[inside].mean()) if inside.any() else 0.0,
        cells=np.unique(index),
        agreement=_agreement(problem, pixels),
        depth_spread=float(np.log(in_front).std()) if len(in_front) else 0.0,
        median_depth=float(np.median(in_front)) if len(in_front) else 0.0,
    )


def _cells(pixels: Floats, size: Floats) -> NDArray[np.int64]:
    """The cells (...) of the grid over an image of a size that pixels (..., 2) lie in."""
    grid = np.array(GRID)
    cells = np.clip(np.nan_to_num(pixels) / size * grid, 0, grid - 1).astype(np.int64)
    index: NDArray[np.int64] = cells[..., 1] * GRID[0] + cells[..., 0]
    return index


def _cells_of_rig(
    problem: PoseProblem, T_body_map: Tensor, supporting: NDArray[np.bool_], sizes: Floats
) -> NDArray[np.int64]:
    """The cells of the supporting points among those of all images, (N,).

    What lies in several images counts as in the first of them: images of before, and overlapping
    ones, are no further directions in which something supports the pose.
    """
    cameras = problem.intrinsics
    assert isinstance(cameras, PointCameras)
    T_camera_map = cameras.T_camera_body @ T_body_map
    intrinsics = cameras.intrinsics[:, None]
    chosen = torch.from_numpy(supporting).to(problem.points.device)
    pixels = project(T_camera_map, problem.points[chosen], intrinsics)[0].cpu().numpy()
    first = ((pixels >= 0) & (pixels <= sizes[:, None] - 1)).all(-1).argmax(0)
    in_first = np.take_along_axis(pixels, first[None, :, None], 0)[0]
    return _cells(in_first, sizes[first]) + first * (GRID[0] * GRID[1])


def evidence_of(
    verification: Verification, covariance: FloatArray, view_change: float
) -> PoseEvidence:
    """The evidence for a pose with a covariance (6, 6), before other poses are compared with it.

    The covariance is one that does not know how exact the map is.
    """
    depth = max(verification.median_depth, MINIMUM_DEPTH)
    translation, rotation = (
        float(np.sqrt(np.linalg.eigvalsh(block)[-1].clip(min=0.0)))
        for block in (covariance[:3, :3], covariance[3:, 3:])
    )
    return PoseEvidence(
        mean_gain=verification.mean_gain,
        supporting=int(verification.supporting.sum()),
        visible=verification.visible,
        agreement=verification.agreement,
        spread=verification.spread_share,
        depth_spread=verification.depth_spread,
        translation_deviation=translation / depth,
        rotation_deviation=rotation,
        view_change=view_change,
    )


def _agreement(problem: PoseProblem, pixels: Floats) -> float:
    """Share of the surest maps whose best pixel is near where points (M,) are put, (M, 2)."""
    best, gains = (tensor.cpu().numpy() for tensor in problem.coarse_maps.best_pixels)
    surest = np.argsort(-gains, kind="stable")[:SUREST_MAPS]
    surest = surest[gains[surest] > 0]
    if not len(surest):
        return 0.0
    # Pixels of points behind the camera are nan, and near nothing.
    off = np.linalg.norm(best[surest] - pixels[surest], axis=-1)
    return float((off <= NEAR_CELLS * problem.coarse_maps.stride).mean())
