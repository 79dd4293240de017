"""A second retrieval, by a pose instead of an image: the keyframes that look at the same things."""

from __future__ import annotations

import math
from collections.abc import Collection

import torch
from torch import Tensor

from dense_reloc_ros.configuration import RetrievalConfiguration
from dense_reloc_ros.geometry.arrays import FloatArray
from dense_reloc_ros.geometry.camera import Camera
from dense_reloc_ros.retrieval.distinct_views import distinct_views
from dense_reloc_ros.scene.scene_map import SceneMap

NEAREST = 200
"""Keyframes with the camera centres nearest to a pose that are looked at; bounds the time."""
LARGEST_ANGLE = math.radians(45.0)
"""Between the rays to a point, from which on descriptors rarely recognize it."""
WORTHWHILE = 1.25
"""Times the overlap of the keyframes at hand, from which on better ones are worth the time."""
LEAST_SHARE = 0.1
"""Of a keyframe's points."""
LARGEST_RATIO = 2.5
"""Of the sizes in which two images show a point, from which on descriptors rarely recognize it."""


def better_keyframes(
    scene_map: SceneMap,
    T_map_camera: FloatArray,
    camera: Camera,
    used: Collection[int],
    options: RetrievalConfiguration,
) -> list[int]:
    """Keyframes to localize an image against again, whose first pose came from those `used`.

    None unless one of them overlaps `WORTHWHILE` times as much as any that was used.
    """
    keyframes, shares = overlapping_keyframes(scene_map, T_map_camera, camera)
    overlapping = dict(zip(keyframes.tolist(), shares.tolist(), strict=True))
    at_hand = max((overlapping.get(keyframe, 0.0) for keyframe in used), default=0.0)
    if max(overlapping.values(), default=0.0) < max(WORTHWHILE * at_hand, LEAST_SHARE):
        return []
    ranked = [keyframe for keyframe, share in overlapping.items() if share >= LEAST_SHARE]
    return distinct_views(scene_map, ranked, options.keyframes, options.baseline_share)


def overlapping_keyframes(
    scene_map: SceneMap,
    T_map_camera: FloatArray,
    camera: Camera,
) -> tuple[Tensor, Tensor]:
    """Keyframes (N,) with the shares (N,) of their points that a camera sees alike, best first.

    A point is seen alike where it lies in the image of the camera at the pose (4, 4), its ray
    differs by less than `LARGEST_ANGLE` from the keyframe's, and its size in pixels by less than a
    factor `LARGEST_RATIO`. Only keyframes of which a point is seen so are among them. What hides
    what is not known.
    """
    pose = torch.from_numpy(T_map_camera)
    centres = scene_map.keyframe_poses[:, :3, 3]
    distances = (centres - pose[:3, 3]).norm(dim=-1)
    nearest = distances.topk(min(NEAREST, len(distances)), largest=False).indices
    slices = [scene_map.observations(k) for k in nearest.tolist()]
    owners = torch.repeat_interleave(
        torch.arange(len(slices)), torch.tensor([s.stop - s.start for s in slices])
    )
    seen = torch.cat([scene_map.observation_points[s] for s in slices]).long()
    points = scene_map.points[seen].double()
    focal_lengths = _focal_lengths(scene_map, nearest)[owners]
    alike = _seen_alike(points, pose, camera, centres[nearest][owners], focal_lengths)
    shares = torch.zeros(len(slices)).index_add_(0, owners, alike.float())
    shares /= torch.bincount(owners, minlength=len(slices)).clamp(min=1)
    order = shares.argsort(descending=True, stable=True)
    order = order[shares[order] > 0]
    return nearest[order], shares[order]


def observations_in_sight(
    scene_map: SceneMap, observations: Tensor, T_map_camera: FloatArray, camera: Camera
) -> Tensor:
    """Those of the observations (N,) of points that a camera at a pose (4, 4) sees alike."""
    owners = torch.bucketize(observations, scene_map.observation_offsets, right=True) - 1
    points = scene_map.points[scene_map.observation_points[observations].long()].double()
    centres = scene_map.keyframe_poses[owners, :3, 3]
    keyframes, of_observation = owners.unique(return_inverse=True)
    focal_lengths = _focal_lengths(scene_map, keyframes)[of_observation]
    pose = torch.from_numpy(T_map_camera)
    return observations[_seen_alike(points, pose, camera, centres, focal_lengths)]


def _focal_lengths(scene_map: SceneMap, keyframes: Tensor) -> Tensor:
    """(N,) in pixels of keyframes (N,)."""
    return torch.tensor([scene_map.cameras[keyframe].focal_length for keyframe in keyframes])


def _seen_alike(
    points: Tensor, pose: Tensor, camera: Camera, centres: Tensor, focal_lengths: Tensor
) -> Tensor:
    """Which of the points (N, 3) a camera at a pose (4, 4) sees as other cameras do: (N,) bool.

    Those with centres (N, 3) and focal lengths (N,) in pixels.
    """
    ray, there = points - pose[:3, 3], points - centres
    in_camera = ray @ pose[:3, :3]
    x, y, depth = in_camera.unbind(-1)
    column, row = camera.fx * x / depth + camera.cx, camera.fy * y / depth + camera.cy
    inside = (depth > 0) & (column >= 0) & (row >= 0)
    inside &= (column <= camera.width - 1) & (row <= camera.height - 1)
    near, far = ray.norm(dim=-1), there.norm(dim=-1)
    same_side = (ray * there).sum(-1) > math.cos(LARGEST_ANGLE) * near * far
    ratio = camera.focal_length * far / (focal_lengths * near).clamp(min=1e-9)
    return inside & same_side & (ratio < LARGEST_RATIO) & (ratio > 1 / LARGEST_RATIO)
