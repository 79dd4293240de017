"""The record that all training data comes as: two images of one place and what they share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Protocol

import torch
from torch import Tensor


@dataclass(frozen=True)
class TrainingPair:
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
    place: Tensor
    """() int64: pairs of different places show nothing in common."""

    @staticmethod
    def batch(pairs: Sequence[TrainingPair]) -> PairBatch:
        """Several as one batch."""
        return PairBatch.stack(pairs)


@dataclass(frozen=True)
class PairBatch:
    """Several pairs of one size: the fields of `TrainingPair` with a leading dimension B."""

    source_image: Tensor
    target_image: Tensor
    source_pixels: Tensor
    target_pixels: Tensor
    visible: Tensor
    points: Tensor
    T_target_source: Tensor
    source_intrinsics: Tensor
    target_intrinsics: Tensor
    has_pose: Tensor
    place: Tensor

    @classmethod
    def stack(cls, pairs: Sequence[TrainingPair]) -> PairBatch:
        """Pairs that agree in H, W and N as one batch."""
        return cls(
            **{f.name: torch.stack([getattr(p, f.name) for p in pairs]) for f in fields(cls)}
        )

    def to(self, device: torch.device) -> PairBatch:
        """The same on another device."""
        return PairBatch(**{f.name: getattr(self, f.name).to(device) for f in fields(self)})


class PairSource(Protocol):
    """Endless pairs, each a function of its number alone: what makes runs repeat and resume."""

    def pair(self, number: int) -> TrainingPair:
        """The pair of a number from 0 up, always the same for the same number."""
        ...
