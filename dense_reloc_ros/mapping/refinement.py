"""Moves map points to where all keyframes see them: depth cameras are biased, matches are not.

A depth that is wrong by one percent does not show in the keyframe it comes from, but it moves the
point by pixels in a query from the side. So every point is looked for, sparse-to-dense, in the
other keyframes that should see it, and placed where its matches, its own pixel and its depth agree.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from dense_reloc_ros.features.extractor import DenseFeatures
from dense_reloc_ros.geometry.projection import project
from dense_reloc_ros.geometry.se3 import inverse_tensor
from dense_reloc_ros.mapping.assembly import with_points
from dense_reloc_ros.matching.windows import local_log_maps
from dense_reloc_ros.pose.loss_maps import loss_maps
from dense_reloc_ros.scene.progress import Progress, silent
from dense_reloc_ros.scene.scene_map import SceneMap

LEVEL = "fine"
TEMPERATURE = 0.01
WINDOW_CELLS = 16
POINTS_PER_KEYFRAME = 2000
"""Looked for in a keyframe at most, chosen at random: every point still gets many matches."""
LARGEST_TURN = np.deg2rad(35.0)
LARGEST_ZOOM = 1.5
"""Difference of viewing direction and ratio of distances up to which descriptors still match."""
SMALLEST_PEAK = 0.05
"""Probability of the best cell in its window that makes a match."""
LARGEST_MISS = 10.0
"""Pixels; a match further from the projection is a wrong one."""
OWN_PIXEL_SIGMA = 0.5
MATCH_PIXEL_SIGMA = 2.0
DEPTH_SIGMA_SHARE = 0.03
ROBUST_PIXELS = 2.0
ITERATIONS = 5


class Matches(NamedTuple):
    """N places where keyframes see points: indices (N,) of both, pixels (N, 2), deviations (N,)."""

    points: Tensor
    keyframes: Tensor
    pixels: Tensor
    sigmas: Tensor


def refine_points(
    scene_map: SceneMap,
    features_of: Callable[[int], DenseFeatures],
    progress: Progress = silent,
) -> SceneMap:
    """The map with its points moved to agree with what all keyframes see.

    Args:
        scene_map: a map with the level `fine`.
        features_of: dense features of the undistorted image of a keyframe.
        progress: is shown the keyframes.
    """
    generator = torch.Generator().manual_seed(0)
    reference = _reference_observations(scene_map)
    found = [_own_observations(scene_map)]
    for keyframe in progress(range(scene_map.keyframe_count), "placing points"):
        wanted = _expected_points(scene_map, reference, keyframe)
        wanted = wanted[torch.randperm(len(wanted), generator=generator)[:POINTS_PER_KEYFRAME]]
        found.append(_find(scene_map, features_of(keyframe), reference, wanted, keyframe))
    matches = Matches(*(torch.cat(column) for column in zip(*found, strict=True)))
    return with_points(scene_map, _place(scene_map, reference, matches))


def _reference_observations(scene_map: SceneMap) -> Tensor:
    """For each point (P,) the first observation of it."""
    reference = torch.full((len(scene_map.points),), -1, dtype=torch.int64)
    order = torch.arange(len(scene_map.observation_points) - 1, -1, -1)
    reference[scene_map.observation_points[order].long()] = order
    return reference


def _keyframe_of(scene_map: SceneMap, observations: Tensor) -> Tensor:
    return torch.searchsorted(scene_map.observation_offsets, observations, right=True) - 1


def _own_observations(scene_map: SceneMap) -> Matches:
    """The observations that the map has."""
    everything = torch.arange(len(scene_map.observation_points))
    return Matches(
        scene_map.observation_points.long(),
        _keyframe_of(scene_map, everything),
        scene_map.observation_pixels.double(),
        torch.full((len(everything),), OWN_PIXEL_SIGMA, dtype=torch.float64),
    )


def _intrinsics(scene_map: SceneMap, keyframe: int) -> Tensor:
    return torch.from_numpy(scene_map.cameras[keyframe].intrinsics)


def _expected_points(scene_map: SceneMap, reference: Tensor, keyframe: int) -> Tensor:
    """Points (N,) that a keyframe should see much as their reference keyframe did."""
    pose = scene_map.keyframe_poses[keyframe]
    points = scene_map.points.double()
    pixels, _ = project(inverse_tensor(pose)[None], points, _intrinsics(scene_map, keyframe))
    camera = scene_map.cameras[keyframe]
    size = pixels.new_tensor([camera.width - 1, camera.height - 1])
    inside = ((pixels[0] >= 0) & (pixels[0] <= size)).all(-1)
    owners = _keyframe_of(scene_map, reference)
    now = points - pose[:3, 3]
    before = points - scene_map.keyframe_poses[owners, :3, 3]
    ratio = now.norm(dim=-1) / before.norm(dim=-1)
    cosine = torch.nn.functional.cosine_similarity(now, before, dim=-1)
    similar = (ratio < LARGEST_ZOOM) & (ratio > 1 / LARGEST_ZOOM) & (cosine > np.cos(LARGEST_TURN))
    already = torch.zeros(len(points), dtype=torch.bool)
    already[scene_map.observation_points[scene_map.observations(keyframe)].long()] = True
    return (inside & similar & ~already).nonzero()[:, 0]


def _find(
    scene_map: SceneMap, features: DenseFeatures, reference: Tensor, wanted: Tensor, keyframe: int
) -> Matches:
    """Where a keyframe sees points: peaks of local correspondence maps around the projections."""
    level = features.levels[LEVEL]
    descriptors = scene_map.descriptors[LEVEL][reference[wanted]].to(level.values)
    T_camera_map = inverse_tensor(scene_map.keyframe_poses[keyframe])[None]
    intrinsics = _intrinsics(scene_map, keyframe)
    expected = project(T_camera_map, scene_map.points[wanted].double(), intrinsics)[0][0]
    windows = local_log_maps(
        descriptors, level, expected.to(level.values), WINDOW_CELLS, TEMPERATURE
    )
    maps = loss_maps(
        windows.log_maps, WINDOW_CELLS**2, level.stride, level.offset, windows.origins.float()
    )
    pixels, _ = maps.best_pixels()
    peak = windows.log_maps.flatten(1).amax(1)
    pixels, peak = pixels.double().cpu(), peak.cpu()
    good = (peak > np.log(SMALLEST_PEAK)) & ((pixels - expected).norm(dim=-1) < LARGEST_MISS)
    return Matches(
        wanted[good],
        torch.full_like(wanted[good], keyframe),
        pixels[good],
        torch.full((int(good.sum()),), MATCH_PIXEL_SIGMA, dtype=torch.float64),
    )


def _place(scene_map: SceneMap, reference: Tensor, matches: Matches) -> Tensor:
    """Points (P, 3) float32 by robust Gauss-Newton on pixels, with the depth as a weak prior."""
    start = scene_map.points.double()
    origins = scene_map.keyframe_poses[_keyframe_of(scene_map, reference), :3, 3]
    rays = start - origins
    depth = rays.norm(dim=-1, keepdim=True)
    along = (rays / depth)[:, :, None] / (DEPTH_SIGMA_SHARE * depth)[..., None]
    prior = along @ along.mT
    T_camera_map = inverse_tensor(scene_map.keyframe_poses)
    intrinsics = torch.stack([_intrinsics(scene_map, k) for k in range(scene_map.keyframe_count)])
    rotation, translation = (
        T_camera_map[matches.keyframes, :3, :3],
        T_camera_map[matches.keyframes, :3, 3],
    )
    focal, centre = intrinsics[matches.keyframes, :2], intrinsics[matches.keyframes, 2:]
    points = start.clone()
    for _ in range(ITERATIONS):
        local = (rotation @ points[matches.points, :, None])[..., 0] + translation
        z = local[:, 2:].clamp(min=1e-3)
        residual = matches.pixels - (local[:, :2] / z * focal + centre)
        scaled = residual.norm(dim=-1) / matches.sigmas
        weight = 1 / (1 + (scaled / ROBUST_PIXELS).square()) / matches.sigmas.square()
        by_local = torch.zeros(len(z), 2, 3, dtype=torch.float64)
        by_local[:, 0, 0], by_local[:, 1, 1] = (focal / z).unbind(-1)
        by_local[:, :, 2] = -local[:, :2] * focal / z.square()
        jacobian = by_local @ rotation
        normal = prior.clone().index_add_(
            0, matches.points, weight[:, None, None] * (jacobian.mT @ jacobian)
        )
        pull = (prior @ (start - points)[..., None])[..., 0].index_add_(
            0, matches.points, weight[:, None] * (jacobian.mT @ residual[..., None])[..., 0]
        )
        points = points + torch.linalg.solve(normal, pull)
    return points.float()
