"""An image matched with one place: its scene coordinates and its pose, with or without a video."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from dense_reloc_ros.dsm.pose import JudgedPose, find_pose, judge_pose
from dense_reloc_ros.dsm.scene_matcher import SceneMatcher
from dense_reloc_ros.dsm.scene_views import LevelPrediction, PreviousFrame, Pyramid, SceneViews
from dense_reloc_ros.stopwatch import Stopwatch

LEAST_AGREEMENT = 0.9
"""Of the support that the map gives a pose, what it must give one that a previous frame made."""
SURE = 0.6
"""Confidence s from which on a previous frame has no weight: 1 - alpha = 1 - min(s + 0.4, 1)."""


@dataclass(frozen=True)
class PlaceMatch:
    """What an image is in a place."""

    predictions: Sequence[LevelPrediction]
    pose: JudgedPose | None
    """None where none fits the coordinates."""
    score: float = 0.0
    """Share of cells that agree, by the map alone, with the pose or with that of the single image,
    whichever is higher: what the image alone is sure enough of is not lost in a video."""


def match_place(
    matcher: SceneMatcher,
    query: Pyramid,
    views: SceneViews,
    previous: PreviousFrame | None,
    intrinsics: Tensor,
    threshold: float,
    stopwatch: Stopwatch,
) -> PlaceMatch:
    """The scene coordinates of an image (B = 1) and the pose that they give.

    With a previous frame its correlation is fused (paper 3.3.1), and the pose is that of the fused
    coordinates, unless those by the map alone contradict it: so a wrong previous pose cannot
    confirm itself. The score is always support by the map alone. That of the image by itself is
    the confidence s, too: the mean of the network's certainties (3.3.3) is the same for images
    that are matched well and badly, as these are trained to order the pixels of one image.

    Args:
        matcher: the network.
        query: of the image.
        views: of the place.
        previous: the frame before in a video, None where there is none.
        intrinsics: (4,) of the network's image, float64.
        threshold: largest reprojection error of an inlier, in pixels of that image.
        stopwatch: times the stages matching and pose.
    """
    with stopwatch.stage("matching"):
        alone = matcher.match(query, views)
    with stopwatch.stage("pose"):
        T_camera_map = find_pose(alone[-1], intrinsics, threshold)
        if T_camera_map is None:
            return PlaceMatch(alone, None)
        pose = judge_pose(alone[-1], T_camera_map, intrinsics, threshold)
    if previous is None or pose.score >= SURE:
        return PlaceMatch(alone, pose, pose.score)
    score = pose.score
    with stopwatch.stage("matching"):
        confidence = torch.tensor([pose.score], device=query[0].device)
        fused = matcher.match(query, views, previous, confidence)
    with stopwatch.stage("pose"):
        T_camera_map = find_pose(fused[-1], intrinsics, threshold)
        if T_camera_map is not None:
            hypothesis = judge_pose(alone[-1], T_camera_map, intrinsics, threshold)
            if hypothesis.score >= LEAST_AGREEMENT * pose.score:
                pose, score = hypothesis, max(score, hypothesis.score)
        in_fused = judge_pose(fused[-1], pose.T_camera_map, intrinsics, threshold)
    return PlaceMatch(fused if in_fused.score > pose.score else alone, pose, score)
