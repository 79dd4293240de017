"""The record that DSM learns from: a query and images of the scene that it was taken in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from torch import Tensor

from dense_reloc_ros.training.example import Example


@dataclass(frozen=True)
class SceneQuery(Example):
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


SceneBatch: TypeAlias = SceneQuery
"""Several queries of one size: all fields have a leading dimension B."""
