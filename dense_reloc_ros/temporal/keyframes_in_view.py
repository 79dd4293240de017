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
    intrinsics = torch.from_numpy(camera.intrinsics).float()
    last = torch.tensor([camera.width - 1, camera.height - 1])
    seen: dict[int, int] = {}
    for keyframe in dict.fromkeys(candidates):
        observations = scene_map.observations(keyframe)
        points = scene_map.points[scene_map.observation_points[observations]]
        pixels, _ = project(T_camera_map.to(points)[None], points, intrinsics)
        seen[keyframe] = int(((pixels >= 0) & (pixels <= last)).all(-1).sum())
    ranked = sorted(seen, key=lambda keyframe: seen[keyframe], reverse=True)
    return [keyframe for keyframe in ranked[:count] if seen[keyframe]]
