"""The records that training data comes as.

Pairs for features, queries with their scene for DSM, pixels with and without depth for DeViLoc,
pairs that overlap little for NeurHal.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from typing import TypeAlias, TypeVar

import torch
from torch import Tensor

AnyExample = TypeVar("AnyExample", bound="Example")


@dataclass(frozen=True)
class Example:
    """A record of tensors; a batch has the same fields with a leading dimension B."""

    place: Tensor = field(kw_only=True)
    """() int64: examples of different places show nothing in common."""

    @staticmethod
    def batch(examples: Sequence[AnyExample]) -> AnyExample:
        """Examples that agree in their sizes as one batch."""
        first = examples[0]
        names = [field.name for field in fields(first)]
        stacked = {name: torch.stack([getattr(one, name) for one in examples]) for name in names}
        return replace(first, **stacked)

    def to(self: AnyExample, device: torch.device) -> AnyExample:
        """The same on another device."""
        return replace(self, **{f.name: getattr(self, f.name).to(device) for f in fields(self)})


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


@dataclass(frozen=True)
class DepthPixels(Example):
    """Pixels of one image: N whose depth is to be found, and M of which a map has the depth."""

    positions: Tensor
    """(N, 2): x / z and y / z in the camera."""
    features: Tensor
    """(N, C) of the image."""
    depths: Tensor
    """(N,), the truth, in metres."""
    observed_positions: Tensor
    """(M, 2)."""
    observed_features: Tensor
    """(M, C)."""
    observed_depths: Tensor
    """(M,) in metres, as wrong as maps are."""
    observed: Tensor
    """(M,) bool: False for those that only fill the record."""


@dataclass(frozen=True)
class HallucinationPair(Example):
    """Points of a source image, and where the plane around a target image has them."""

    source: Tensor
    """(3, H, W) in [0, 1], RGB, or what the frozen part of a network makes of it."""
    target: Tensor
    """The same of the target."""
    source_pixels: Tensor
    """(N, 2)."""
    source_depths: Tensor
    """(N,) in the scene's unit, 0 where unknown."""
    target_pixels: Tensor
    """(N, 2) of the correspondents, in the image or outside of it."""
    tasks: Tensor
    """(N,) int64: `neurhal.tasks.Task`, for evaluation only."""
    counted: Tensor
    """(N,) bool: false for those that only fill up."""
    source_intrinsics: Tensor
    """(4,) fx, fy, cx, cy."""
    target_intrinsics: Tensor
    """(4,)."""
    T_target_source: Tensor
    """(4, 4)."""


HallucinationBatch: TypeAlias = HallucinationPair
"""Several pairs of one size: all fields have a leading dimension B."""
