"""What else explains an image: a map may show the same thing in several places."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from dense_reloc_ros.features.extractor import DenseFeatures
from dense_reloc_ros.geometry.camera import Camera
from dense_reloc_ros.geometry.projection import project
from dense_reloc_ros.geometry.se3 import inverse
from dense_reloc_ros.localization.decision import STRONG_RIVAL, contradict
from dense_reloc_ros.localization.place_localizer import PlaceLocalizer
from dense_reloc_ros.localization.point_choice import out_of_sight
from dense_reloc_ros.localization.result import PoseEstimate
from dense_reloc_ros.pose.lo_ransac import consensus
from dense_reloc_ros.pose.problem import PoseProblem
from dense_reloc_ros.retrieval.look_alikes import look_alikes
from dense_reloc_ros.retrieval.ranked_keyframes import RankedKeyframes
from dense_reloc_ros.stopwatch import Stopwatch

POINTS_SHARE = 0.5
"""Of the points of a place, by which a pose somewhere else is found: where there is none, as nearly
always, more cost time.

In 12 corridors of equal doors (192 images) the same poses have a rival as by all of them.
"""
COARSE_ITERATIONS = 300
"""Of RANSAC, by which it is told whether there is anything alike: where there is, more of them find
no more cells that agree."""
LEAST_SUPPORT = 0.2
"""Of the coarse cells that support the best pose: so many must agree with one elsewhere.

Of 230 rivals in corridors 21 to 36 (`tools/equal_doors.py`) none has less than 0.22, and 1% less
than 0.34. Without any, in map images of the kitchen with a stretch left out, 5 in good light have
at most 0.11, and of 29 at level harsh 90% at most 0.23.
"""
CHOICE = 4
"""Observations for each of these points, among which it is chosen."""


def rivals_of(
    localizer: PlaceLocalizer,
    best: PoseEstimate,
    ranked: RankedKeyframes,
    features: DenseFeatures,
    camera: Camera,
    stopwatch: Stopwatch,
) -> list[PoseEstimate]:
    """A pose that contradicts the best one, by what looks like a view, but is out of sight there.

    Points out of sight find it, as all of them would find the best pose again. If they explain the
    view about as well, as many points as usual judge it: what is in sight from both, as the end of
    a corridor, may speak against one of them.

    Args:
        localizer: finds poses in places.
        best: the pose of the view.
        ranked: the keyframes that the view looks like.
        features: of the view.
        camera: of the view.
        stopwatch: of the image.
    """
    scene_map, options = localizer.scene_map, localizer.configuration.retrieval
    with stopwatch.stage("retrieval"):
        similar = look_alikes(ranked, scene_map, options, best.T_map_camera, camera)
    if not similar:
        return []
    points = max(1, round(POINTS_SHARE * localizer.configuration.matching.points))
    elsewhere = out_of_sight(scene_map, best.T_map_camera, camera, CHOICE * points)
    with stopwatch.stage("matching"):
        indices, problem = localizer.match(features, similar, camera, elsewhere, points)
    with stopwatch.stage("pose"):
        supporting = scene_map.points[best.supporting_points]
        if coarse_consensus(problem) < LEAST_SUPPORT * cells_of(problem, supporting, best):
            return []
        found = localizer.find_pose(problem, None)
    if found is None:
        return []
    rival: PoseEstimate | None
    with stopwatch.stage("verification"):
        rival = localizer.verified(problem, found, indices, similar, camera)
    if rival.score >= STRONG_RIVAL * best.score:
        rival = localizer.estimate_near(rival.T_map_camera, similar, features, camera, stopwatch)
    if rival is None or not contradict(best, rival, best.depth or 1.0):
        return []
    return [rival]


def cells_of(problem: PoseProblem, points: Tensor, estimate: PoseEstimate) -> int:
    """How many coarse cells of the problem's image an estimate puts points (N, 3) into."""
    T_camera_map = torch.from_numpy(inverse(estimate.T_map_camera)).to(points)
    pixels, _ = project(T_camera_map[None], points, problem.intrinsics)
    return _count_cells(pixels[0], problem.coarse_level.stride)


def coarse_consensus(problem: PoseProblem) -> int:
    """In how many coarse cells of one image the best pixels of the maps agree with one pose."""
    assert isinstance(problem.intrinsics, Tensor)
    stride = problem.coarse_level.stride
    pixels, gains = problem.coarse_maps.best_pixels
    surest = gains.argsort(descending=True, stable=True)
    surest = surest[gains[surest] > 0]
    agreeing = consensus(
        pixels[surest],
        problem.points[surest],
        problem.intrinsics,
        stride,
        COARSE_ITERATIONS,
        surest_first=True,
    )
    return 0 if agreeing is None else _count_cells(pixels[surest][agreeing[1]], stride)


def _count_cells(pixels: Tensor, stride: int) -> int:
    """How many cells of a stride pixels (N, 2) lie in."""
    return len(np.unique((pixels / stride).int().numpy(), axis=0))
