"""Which keyframes show what a camera at a predicted pose sees."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from dense_reloc_ros.geometry.camera import Camera
from dense_reloc_ros.geometry.projection import project
from dense_reloc_ros.scene.scene_map import SceneMap


def keyframes_in_view(
    scene_map: SceneMap, candidates: Iterable[int], T_camera_map: Tensor, camera: Camera, count: int
) -> list[int]:
    """Those of some keyframes with the most points in the view of a camera at a pose (4, 4).

    Up to `count`, the one with the most first; none that shows nothing of it.
    """
    intrinsics = torch.tensor([camera.fx, camera.fy, camera.cx, camera.cy])
    last = torch.tensor([camera.width - 1, camera.height - 1])
    seen: dict[int, int] = {}
    for keyframe in dict.fromkeys(candidates):
        observations = scene_map.observations(keyframe)
        points = scene_map.points[scene_map.observation_points[observations]]
        pixels, _ = project(T_camera_map.to(points)[None], points, intrinsics)
        seen[keyframe] = int(((pixels >= 0) & (pixels <= last)).all(-1).sum())
    ranked = sorted(seen, key=lambda keyframe: seen[keyframe], reverse=True)
    return [keyframe for keyframe in ranked[:count] if seen[keyframe]]


def nearest_by_pose(
    scene_map: SceneMap, T_camera_map: Tensor, depth: float, count: int
) -> list[int]:
    """The keyframes with the poses most like a pose (4, 4).

    Distances count in units of the depth, so that one stands for as much change as a radian or so.
    """
    T_map_camera = torch.linalg.inv(T_camera_map.to(scene_map.keyframe_poses))
    poses = scene_map.keyframe_poses
    distance = (poses[:, :3, 3] - T_map_camera[:3, 3]).norm(dim=-1) / depth
    turn = 1 - poses[:, :3, 2] @ T_map_camera[:3, 2]
    nearest = (distance + turn).argsort()[:count]
    return [int(keyframe) for keyframe in nearest]
