"""Coordinate pyramids of scene images, and the local frame that DSM predicts in (paper 3.2)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from dense_reloc_ros.dsm.scene_views import Pyramid

SMALLEST_DEVIATION = 1e-3
"""Metres; of the coordinates of a scene along one axis."""


def coordinates_of_depth(
    depth: Tensor, T_map_camera: Tensor, intrinsics: Tensor, stride: int
) -> Tensor:
    """Maps (..., 3, H // stride, W // stride) of the points that images show, metres in the map.

    Each cell has the point on the ray of its centre at the depth of the pixel nearest to it, nan
    where that is unknown.

    Args:
        depth: (..., H, W) along the optical axis, metres, 0 or nan where unknown.
        T_map_camera: (..., 4, 4).
        intrinsics: (..., 4) fx, fy, cx, cy in pixels of the depth images.
        stride: Pixels from one cell to the next.
    """
    middle = depth[..., stride // 2 :: stride, stride // 2 :: stride]
    middle = torch.where(middle > 0, middle, torch.nan)
    centres = cell_centres(middle.shape[-2], middle.shape[-1], stride, depth)
    rays = (centres - intrinsics[..., None, None, 2:]) / intrinsics[..., None, None, :2]
    in_camera = torch.cat([rays, torch.ones_like(rays[..., :1])], dim=-1) * middle[..., None]
    rotation, translation = T_map_camera[..., :3, :3], T_map_camera[..., :3, 3]
    return torch.einsum("...ij,...hwj->...ihw", rotation, in_camera) + translation[..., None, None]


def coordinate_pyramid(finest: Tensor, levels: int) -> Pyramid:
    """`levels` coordinate maps (..., 3, h, w), each half as large as the next, the last `finest`.

    A cell has the mean of the known ones among the four that it is made of, nan if there is none.
    """
    pyramid = [finest]
    for _ in range(levels - 1):
        last = pyramid[0]
        height, width = last.shape[-2] // 2, last.shape[-1] // 2
        even = last[..., : 2 * height, : 2 * width]
        fours = even.reshape(*last.shape[:-2], height, 2, width, 2)
        pyramid.insert(0, fours.nanmean((-3, -1)))
    return tuple(pyramid)


def cell_centres(height: int, width: int, stride: int, like: Tensor) -> Tensor:
    """Pixels (height, width, 2) at the centres of a level's cells."""
    rows = torch.arange(height, dtype=like.dtype, device=like.device)
    columns = torch.arange(width, dtype=like.dtype, device=like.device)
    y, x = torch.meshgrid(rows, columns, indexing="ij")
    return torch.stack([x, y], dim=-1) * stride + (stride - 1) / 2


@dataclass(frozen=True)
class LocalFrame:
    """Coordinates of zero mean and unit deviation along each axis.

    The axes are those of the first view's camera, so that scenes look alike however their maps are
    turned.
    """

    R_local_map: Tensor
    """(B, 3, 3)."""
    mean: Tensor
    """(B, 3) metres, along the local axes."""
    deviation: Tensor
    """(B, 3) metres."""

    @classmethod
    def of_views(cls, coordinates: Tensor, T_camera_map: Tensor) -> LocalFrame:
        """Of the known coordinates (B, N, 3, h, w) of views with T_camera_map (B, N, 4, 4)."""
        rotation = T_camera_map[:, 0, :3, :3]
        local = torch.einsum("bij,bnjhw->binhw", rotation, coordinates).flatten(2)
        mean = local.nanmean(-1)
        deviation = (local - mean[..., None]).square().nanmean(-1).sqrt()
        # A scene without any known coordinate has no frame, but must not spread nan.
        return cls(rotation, mean.nan_to_num(0.0), deviation.nan_to_num(1.0) + SMALLEST_DEVIATION)

    def normalized(self, coordinates: Tensor) -> Tensor:
        """Coordinates (B, ..., 3, h, w), metres in the map frame, in the local frame."""
        local = torch.einsum("bij,b...jhw->b...ihw", self.R_local_map, coordinates)
        return (local - self._as_maps(self.mean, local)) / self._as_maps(self.deviation, local)

    def restored(self, local: Tensor) -> Tensor:
        """What `normalized` was given."""
        metric = local * self._as_maps(self.deviation, local) + self._as_maps(self.mean, local)
        return torch.einsum("bji,b...jhw->b...ihw", self.R_local_map, metric)

    @staticmethod
    def _as_maps(values: Tensor, like: Tensor) -> Tensor:
        """Values (B, 3) in the shape (B, 1, ..., 3, 1, 1) of maps."""
        return values.reshape(len(values), *(1,) * (like.ndim - 4), 3, 1, 1)
