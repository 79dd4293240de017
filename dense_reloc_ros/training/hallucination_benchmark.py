"""NeurHal measured as in thesis 5.4, on pairs of frames of one scene that overlap little."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dense_reloc_ros.configuration import LocalizerConfiguration
from dense_reloc_ros.geometry.arrays import Float32Array, FloatArray
from dense_reloc_ros.geometry.se3 import PoseError, inverse, pose_error
from dense_reloc_ros.matching.filters import best_cells
from dense_reloc_ros.neurhal.hallucinator import HallucinatedMaps, NeurHal
from dense_reloc_ros.neurhal.plane_problem import PlaneProblem
from dense_reloc_ros.pose.lo_ransac import robust_pose
from dense_reloc_ros.pose.nre import coarse_poses
from dense_reloc_ros.training.data.depth_frames import DepthFrame
from dense_reloc_ros.training.data.overlap_source import (
    relative_pose,
    source_points,
    tasks_of,
)
from dense_reloc_ros.training.data.overlap_views import OverlapViews, views_of
from dense_reloc_ros.training.losses.hallucination_loss import neural_errors

OVERLAPS = (0.02, 0.05, 0.10, 0.15, 0.30, 0.50)
"""Edges of the bins."""
PADDINGS = (0.0, 0.25, 0.5)
"""γ."""
CELL = 8
"""Pixels of the network's image from one keypoint to the next."""
INLIER_CELLS = 1.5
"""Of RE by the maps' best cells."""
FAILED = PoseError(math.inf, math.pi)


@dataclass(frozen=True)
class Pair:
    """Two frames of a scene, by their numbers, and how much they overlap (C.3.2)."""

    source: int
    target: int
    overlap: float


@dataclass(frozen=True)
class PairResult:
    """What was found of a pair."""

    pair: Pair
    tasks: NDArray[np.int64]
    """(N,) of the keypoints whose correspondent lies on the plane."""
    nres: Mapping[float, Float32Array]
    """By γ, (N,), of points known to be on that plane; nan where the correspondent is not."""
    pixels: Float32Array
    """(N,) distances of the best cells from the truth, in image widths of 640 pixels."""
    poses: Mapping[str, PoseError]
    """By the name of the estimator: the error of the target's pose."""


def scene_views(network: NeurHal, frames: Sequence[DepthFrame]) -> OverlapViews:
    """Frames of a scene as the network sees them, with their overlaps."""
    return views_of(frames, lambda image, _: [image], network.image_size, network.backbone.frozen)


def drawn_pairs(overlaps: FloatArray, count: int, seed: int = 0) -> list[Pair]:
    """Up to `count` pairs in each bin of overlap, drawn at random."""
    rng = np.random.default_rng(seed)
    pairs = []
    for low, high in pairwise(OVERLAPS):
        found = np.argwhere((overlaps >= low) & (overlaps < high))
        for source, target in rng.permutation(found)[:count].tolist():
            pairs.append(Pair(source, target, float(overlaps[source, target])))
    return pairs


@torch.inference_mode()
def measured(
    network: NeurHal, views: OverlapViews, pairs: Sequence[Pair], options: LocalizerConfiguration
) -> Iterator[PairResult]:
    """Correspondents and poses of pairs; all keypoints with depth are used for poses."""
    for pair in pairs:
        pixels, in_source = source_points(views, pair.source, CELL)
        maps = _maps(network, views, pair, pixels, in_source[:, 2])
        points = torch.from_numpy(in_source).float()
        intrinsics = torch.from_numpy(views.intrinsics[pair.target]).float()
        truth = relative_pose(views, pair.source, pair.target)
        poses = {"identity": pose_error(inverse(truth), np.eye(4))}
        for share in PADDINGS:
            problem = PlaneProblem.joined([maps.within(share)], [points], intrinsics)
            coarse = coarse_poses(problem, options.nre, None)
            poses[f"NRE, γ {share:.0%}"] = error_of(coarse[0] if len(coarse) else None, truth)
        best, gains = problem.coarse_maps.best_pixels
        known = gains > 0
        by_best = robust_pose(
            best[known], points[known], intrinsics, INLIER_CELLS * maps.plane.stride
        )
        poses["RE, γ 50%"] = error_of(by_best, truth)
        yield PairResult(pair, *_correspondents(maps, views, pair, points, truth), poses)


def _maps(
    network: NeurHal, views: OverlapViews, pair: Pair, pixels: FloatArray, depths: FloatArray
) -> HallucinatedMaps:
    source, target = (
        (views.input(0, number)[None], torch.from_numpy(views.intrinsics[number])[None].float())
        for number in (pair.source, pair.target)
    )
    return network.match(
        network.source_view(*source),
        network.target_view(*target),
        torch.from_numpy(pixels)[None].float(),
        torch.from_numpy(depths)[None].float(),
    )


def _correspondents(
    maps: HallucinatedMaps, views: OverlapViews, pair: Pair, points: Tensor, truth: FloatArray
) -> tuple[NDArray[np.int64], dict[float, Float32Array], Float32Array]:
    """Tasks, NREs by γ and distances in pixels of the points whose correspondents can be found."""
    T = torch.from_numpy(truth).float()
    in_target = points @ T[:3, :3].mT + T[:3, 3]
    fx, fy, cx, cy = views.intrinsics[pair.target].tolist()
    depth = in_target[:, 2:]
    there = in_target[:, :2] / depth * points.new_tensor([fx, fy]) + points.new_tensor([cx, cy])
    there = there.where(depth > 0.05, torch.nan)
    kept = maps.plane.contains(there)
    tasks = tasks_of(
        there[kept].double().numpy(), depth[kept, 0].double().numpy(), views.depth[pair.target]
    )
    nres = {}
    for share in PADDINGS:
        errors, inside = neural_errors(maps.within(share).on_plane(), there[None])
        nres[share] = errors[0].where(inside[0], torch.nan)[kept].numpy()
    width = views.depth.shape[-1]
    best = maps.plane.pixels(best_cells(maps.log_maps[0]))
    distance = (best - there)[kept].norm(dim=-1) * 640 / width
    return tasks, nres, distance.numpy()


def error_of(T_target_source: Tensor | None, truth: FloatArray) -> PoseError:
    """Of the target's pose in the source's camera; infinite where there is none."""
    if T_target_source is None:
        return FAILED
    return pose_error(inverse(truth), inverse(T_target_source.double().numpy()))


def uniform_nre(network: NeurHal, share: float) -> float:
    """ln |Ω| of the plane with γ = `share`."""
    height, width = (side // network.backbone.stride for side in network.image_size)
    return math.log((height + 2 * round(share * height)) * (width + 2 * round(share * width)))
