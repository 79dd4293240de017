"""Coordinate pyramids of scene images, and the local frame that DSM predicts in (paper 3.2)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from dense_reloc_ros.dsm.scene_views import Pyramid


def coordinate_pyramid(
    depth: Tensor, T_map_camera: Tensor, intrinsics: Tensor, strides: Sequence[int]
) -> Pyramid:
    """Maps (..., 3, h, w) of the points that images show, metres in the map frame.

    Each cell has the point on the ray of its centre at the depth of the pixel nearest to it, nan
    where that is unknown.

    Args:
        depth: (..., H, W) along the optical axis, metres, 0 or nan where unknown.
        T_map_camera: (..., 4, 4).
        intrinsics: (..., 4) fx, fy, cx, cy in pixels of the depth images.
        strides: Of the levels, which divide H and W.
    """
    return tuple(_coordinates(depth, T_map_camera, intrinsics, stride) for stride in strides)


def cell_centres(height: int, width: int, stride: int, like: Tensor) -> Tensor:
    """Pixels (height, width, 2) at the centres of a level's cells."""
    rows = torch.arange(height, dtype=like.dtype, device=like.device)
    columns = torch.arange(width, dtype=like.dtype, device=like.device)
    y, x = torch.meshgrid(rows, columns, indexing="ij")
    return torch.stack([x, y], dim=-1) * stride + (stride - 1) / 2


def _coordinates(depth: Tensor, T_map_camera: Tensor, intrinsics: Tensor, stride: int) -> Tensor:
    middle = depth[..., stride // 2 :: stride, stride // 2 :: stride]
    middle = torch.where(middle > 0, middle, torch.nan)
    centres = cell_centres(*middle.shape[-2:], stride, depth)
    focal, principal = intrinsics[..., None, None, :2], intrinsics[..., None, None, 2:]
    rays = (centres - principal) / focal
    in_camera = torch.cat([rays, torch.ones_like(rays[..., :1])], dim=-1) * middle[..., None]
    rotation, translation = T_map_camera[..., :3, :3], T_map_camera[..., :3, 3]
    return torch.einsum("...ij,...hwj->...ihw", rotation, in_camera) + translation[..., None, None]
