"""The temporal correlation: map points as the previous frame saw them (DSM 3.3.1)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from torch.nn.functional import normalize

from dense_reloc_ros.features.extractor import DenseFeatures
from dense_reloc_ros.geometry.camera import Camera
from dense_reloc_ros.geometry.projection import project
from dense_reloc_ros.matching.correlation import LEAST_MAP_SHARE

BEHIND = 1.15
"""A point this factor further away than another one of its cell is hidden by what that lies on."""
CELL = 16
"""Pixels of the image that one depth stands for."""


def map_share(confidence: float) -> float:
    """The weight α of the map's correlation for the confidence s of a single frame (DSM 3.3.3)."""
    return min(confidence + LEAST_MAP_SHARE, 1.0)


def mix_correlations(
    from_map: Mapping[str, Tensor],
    from_previous: Mapping[str, Tensor],
    is_seen: Tensor,
    share: float,
) -> dict[str, Tensor]:
    """Descriptors (M, C) whose correlation is α·Corr_s + (1-α)·Corr_t with any image (DSM 3.3.1).

    Correlation is linear in the descriptors, so that mixing these is mixing those, on each level.

    Args:
        from_map: descriptors (M, C) of each level.
        from_previous: those that the previous frame has where it sees the points.
        is_seen: (M,) bool, whether it sees a point; the others keep the map's descriptor.
        share: α.
    """
    weight = torch.where(is_seen, share, 1.0)[:, None]
    return {
        name: weight.to(values) * values + (1 - weight).to(values) * from_previous[name]
        for name, values in from_map.items()
    }


def joint_descriptors(
    seen: Sequence[tuple[Mapping[str, Tensor], Tensor]],
) -> tuple[dict[str, Tensor], Tensor]:
    """One descriptor (M, C) of each level for each point that some frames see, and which these are.

    Args:
        seen: of each frame the descriptors (M, C) of each level, and (M,) bool: whether it sees a
            point. What several see alike stands out of the noise of each.
    """
    is_seen = torch.stack([mask for _, mask in seen]).any(0)
    joint = {
        name: normalize(
            torch.stack([mask[:, None].to(of[name]) * of[name] for of, mask in seen]).sum(0), dim=-1
        )
        for name in seen[0][0]
    }
    return joint, is_seen


def descriptors_in(features: DenseFeatures, pixels: Tensor) -> dict[str, Tensor]:
    """Descriptors (M, C) of each level at pixels (M, 2), which may be nan; on the processor."""
    somewhere = pixels.nan_to_num(0.0)
    return {name: level.sample(somewhere).cpu() for name, level in features.levels.items()}


def visible_pixels(
    T_camera_map: Tensor, camera: Camera, points: Tensor, occluders: Tensor
) -> tuple[Tensor, Tensor]:
    """Where a camera sees points of the map, and whether.

    Args:
        T_camera_map: (4, 4).
        camera: without distortion.
        points: (M, 3) in the map frame.
        occluders: (N, 3), points of the map that may hide others: all that are near enough.

    Returns:
        Pixels (M, 2), nan behind the camera; (M,) bool: inside of the image and not hidden.
    """
    intrinsics = points.new_tensor(camera.intrinsics)
    depth = _least_depths(T_camera_map, camera, occluders, intrinsics)
    pixels, in_camera = project(T_camera_map[None], points, intrinsics)
    index, inside = _cells(pixels[0], camera)
    is_hidden = in_camera[0, :, 2] > BEHIND * depth[index]
    return pixels[0], inside & ~is_hidden


def _least_depths(
    T_camera_map: Tensor, camera: Camera, points: Tensor, intrinsics: Tensor
) -> Tensor:
    """The depth of the nearest point in each cell of the image, row by row; inf without any."""
    pixels, in_camera = project(T_camera_map[None], points, intrinsics)
    index, inside = _cells(pixels[0], camera)
    columns, rows = -(-camera.width // CELL), -(-camera.height // CELL)
    nearest = points.new_full((columns * rows,), torch.inf)
    return nearest.scatter_reduce_(0, index[inside], in_camera[0, inside, 2], "amin")


def _cells(pixels: Tensor, camera: Camera) -> tuple[Tensor, Tensor]:
    """The cell (M,) of pixels (M, 2), 0 outside; (M,) bool: inside of the image."""
    size = pixels.new_tensor([camera.width, camera.height])
    inside = ((pixels >= -0.5) & (pixels < size - 0.5)).all(-1)
    column, row = ((pixels.nan_to_num(0.0) + 0.5) / CELL).long().unbind(-1)
    columns = -(-camera.width // CELL)
    return torch.where(inside, row * columns + column, 0), inside
