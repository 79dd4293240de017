"""The record that all training data comes as: two images of one place and what they share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from torch import Tensor

from dense_reloc_ros.training.example import Example


@dataclass(frozen=True)
class TrainingPair(Example):
    """Points of a source image (a map image) that a target image (a query) may show as well."""

    source_image: Tensor
    """(3, H, W) in [0, 1], RGB, float32."""
    target_image: Tensor
    """(3, H, W) of the same size."""
    source_pixels: Tensor
    """(N, 2) where the source image shows the points; pixel (0, 0) is the top-left's centre."""
    target_pixels: Tensor
    """(N, 2) where the points project to in the target image, visible or not."""
    visible: Tensor
    """(N,) bool: whether the target image shows the point (inside, in front, not occluded)."""
    points: Tensor
    """(N, 3) in metres or the scene's unit, in the source camera; zeros where `has_pose` is not."""
    T_target_source: Tensor
    """(4, 4); the identity where `has_pose` is not."""
    source_intrinsics: Tensor
    """(4,) fx, fy, cx, cy."""
    target_intrinsics: Tensor
    """(4,) fx, fy, cx, cy."""
    has_pose: Tensor
    """() bool: false for homographies, which have neither points nor poses."""


PairBatch: TypeAlias = TrainingPair
"""Several pairs of one size: all fields have a leading dimension B."""
