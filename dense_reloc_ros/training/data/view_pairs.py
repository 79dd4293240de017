"""From two clean views of one place to a training pair: exposed, its points chosen, as tensors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray
from torch import Tensor

from dense_reloc_ros.features.extractor import image_to_tensor
from dense_reloc_ros.geometry.arrays import FloatArray, Mask, RgbImage
from dense_reloc_ros.images.photometric import RandomCamera
from dense_reloc_ros.training.examples import TrainingPair

VISIBLE_SHARE = 0.85
"""Of a pair's points at most, where it has enough others: losses want to see misses as well."""
FEWEST_VISIBLE = 32
"""Visible points of a pair that is worth a training step."""


def candidate_count(points: int) -> int:
    """How many points to look for in a source image, of which `points` are kept.

    Enough for `FEWEST_VISIBLE` of them to be visible, however few are kept.
    """
    return max(2 * points, 4 * FEWEST_VISIBLE)


@dataclass(frozen=True)
class RelativePose:
    """The geometry of a pair of photographs of a scene in space."""

    points: FloatArray
    """(N, 3) in the source camera."""
    T_target_source: FloatArray
    """(4, 4)."""
    source_intrinsics: FloatArray
    """(4,) fx, fy, cx, cy."""
    target_intrinsics: FloatArray
    """(4,)."""


@dataclass(frozen=True)
class ViewPair:
    """Two images as photographed or rendered, and all the points that may be used."""

    source_image: RgbImage
    """(H, W, 3)."""
    target_image: RgbImage
    """(H, W, 3)."""
    source_pixels: FloatArray
    """(N, 2)."""
    target_pixels: FloatArray
    """(N, 2), finite: points behind the target camera are left out."""
    visible: Mask
    """(N,): inside the target image, not occluded."""
    place: int
    pose: RelativePose | None = None


def is_inside(pixels: FloatArray, width: int, height: int) -> Mask:
    """(N,): whether pixels (N, 2) lie between the centres of an image's outermost pixels."""
    return np.asarray(((pixels >= 0) & (pixels <= (width - 1, height - 1))).all(axis=1))


def assemble(views: ViewPair, count: int, camera: RandomCamera, rng: Generator) -> TrainingPair:
    """The pair with exactly `count` points, both images exposed by a random camera.

    What the camera covers is not visible. Where there are fewer points, some come several times:
    the repetitions are marked not visible, so that none counts twice. `views` has some point.
    """
    source_image = camera.expose_source(views.source_image, rng)
    exposure = camera.expose_target(views.target_image, rng)
    visible = views.visible & ~_at(exposure.covered, views.target_pixels)
    chosen = _choose(visible, count, rng)
    is_first = np.arange(count) < len(visible)
    pose = views.pose
    if pose is None:
        nothing, unit = np.zeros((len(visible), 3)), np.array([1.0, 1.0, 0.0, 0.0])
        pose = RelativePose(nothing, np.eye(4), unit, unit)
    return TrainingPair(
        source_image=image_to_tensor(source_image)[0],
        target_image=image_to_tensor(exposure.image)[0],
        source_pixels=_tensor(views.source_pixels[chosen]),
        target_pixels=_tensor(views.target_pixels[chosen]),
        visible=torch.from_numpy(visible[chosen] & is_first),
        points=_tensor(pose.points[chosen]),
        T_target_source=_tensor(pose.T_target_source),
        source_intrinsics=_tensor(pose.source_intrinsics),
        target_intrinsics=_tensor(pose.target_intrinsics),
        has_pose=torch.tensor(views.pose is not None),
        place=torch.tensor(views.place, dtype=torch.int64),
    )


def _choose(visible: Mask, count: int, rng: Generator) -> NDArray[np.intp]:
    """Indices (`count`,) of points in random order; all of them once before any comes again."""
    seen, unseen = (rng.permutation(np.flatnonzero(which)) for which in (visible, ~visible))
    misses = min(len(unseen), max(round(count * (1 - VISIBLE_SHARE)), count - len(seen)))
    chosen = np.concatenate([seen[: count - misses], unseen[:misses]])
    order = rng.permutation(len(chosen))
    return np.asarray(np.resize(chosen[order], count))


def _at(mask: Mask, pixels: FloatArray) -> Mask:
    """(N,): the mask (H, W) at the pixels (N, 2) nearest to it."""
    limits = np.array(mask.shape[::-1]) - 1
    columns, rows = np.clip(np.rint(pixels), 0, limits).astype(np.int64).T
    return np.asarray(mask[rows, columns])


def _tensor(values: FloatArray) -> Tensor:
    return torch.from_numpy(np.asarray(values, dtype=np.float32))
