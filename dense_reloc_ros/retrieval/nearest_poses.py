"""Keyframes with poses like a given one, without a look at any image."""

from __future__ import annotations

import torch
from torch import Tensor

from dense_reloc_ros.scene.scene_map import SceneMap


def nearest_poses(scene_map: SceneMap, T_map_camera: Tensor, depth: float, count: int) -> list[int]:
    """The keyframes with the poses most like a pose (4, 4), the nearest first, up to `count`.

    Distances count in units of the depth, so that one stands for as much change as a radian or so.
    """
    poses = scene_map.keyframe_poses
    distance = (poses[:, :3, 3] - T_map_camera[:3, 3]).norm(dim=-1) / depth
    turn = 1 - poses[:, :3, 2] @ T_map_camera[:3, 2]
    nearest: list[int] = (distance + turn).argsort()[:count].tolist()
    return nearest


def view_distances(poses: Tensor, T_map_camera: Tensor, depth: float) -> Tensor:
    """How much the views of poses (K, 4, 4) differ from that of a pose (4, 4), (K,).

    The root of the squared distance in units of the depth and the squared angle in radians between
    the optical axes.
    """
    distance = (poses[:, :3, 3] - T_map_camera[:3, 3]).norm(dim=-1) / depth
    cosine = (poses[:, :3, 2] @ T_map_camera[:3, 2]).clamp(-1.0, 1.0)
    return torch.hypot(distance, cosine.acos())
