"""The record that DSM learns from: a query and images of the scene that it was taken in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import torch
from torch import Tensor


@dataclass(frozen=True)
class SceneQuery:
    """A query with its true pose and depth, and N scene images with theirs."""

    image: Tensor
    """(3, H, W) in [0, 1], RGB, float32."""
    depth: Tensor
    """(H, W) metres, 0 where it is unknown or something covers the scene."""
    T_map_camera: Tensor
    """(4, 4)."""
    intrinsics: Tensor
    """(4,) fx, fy, cx, cy."""
    scene_images: Tensor
    """(N, 3, H, W)."""
    scene_depth: Tensor
    """(N, H, W) metres, 0 where unknown."""
    T_map_scene: Tensor
    """(N, 4, 4) of the scene images' cameras."""
    scene_intrinsics: Tensor
    """(N, 4)."""
    place: Tensor
    """() int64."""

    @staticmethod
    def batch(queries: Sequence[SceneQuery]) -> SceneBatch:
        """Several as one batch."""
        names = [f.name for f in fields(SceneQuery)]
        return SceneBatch(
            **{name: torch.stack([getattr(q, name) for q in queries]) for name in names}
        )


@dataclass(frozen=True)
class SceneBatch:
    """Several queries of one size: the fields of `SceneQuery` with a leading dimension B."""

    image: Tensor
    depth: Tensor
    T_map_camera: Tensor
    intrinsics: Tensor
    scene_images: Tensor
    scene_depth: Tensor
    T_map_scene: Tensor
    scene_intrinsics: Tensor
    place: Tensor

    def to(self, device: torch.device) -> SceneBatch:
        """The same on another device."""
        return SceneBatch(**{f.name: getattr(self, f.name).to(device) for f in fields(self)})
