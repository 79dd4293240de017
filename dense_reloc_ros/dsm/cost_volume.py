"""Correlations of query pixels with scene points, and the K best of them (paper 3.3.1)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import grid_sample, normalize

from dense_reloc_ros.dsm.scene_views import PreviousFrame
from dense_reloc_ros.geometry.projection import project
from dense_reloc_ros.matching.correlation import LEAST_MAP_SHARE


@dataclass(frozen=True)
class LevelViews:
    """The scene on one level of the pyramids."""

    features: Tensor
    """(B, N, C, h, w)."""
    coordinates: Tensor
    """(B, N, 3, h, w), metres in the map frame, nan where unknown."""
    T_camera_map: Tensor
    """(B, N, 4, 4)."""
    intrinsics: Tensor
    """(B, N, 4)."""
    stride: int

    def table(self) -> tuple[Tensor, Tensor]:
        """Features (B, N h w, C) and coordinates (B, N h w, 3) as rows."""
        return _rows(self.features), _rows(self.coordinates)


@dataclass(frozen=True)
class TemporalCorrelation:
    """The previous frame on one level, and how much the scene's own correlation counts."""

    features: Tensor
    """(B, C, h, w)."""
    T_camera_map: Tensor
    """(B, 4, 4)."""
    intrinsics: Tensor
    """(B, 4)."""
    stride: int
    confidence: Tensor
    """(B,) s of the single frame."""

    @classmethod
    def of(
        cls, previous: PreviousFrame, level: int, stride: int, confidence: Tensor
    ) -> TemporalCorrelation:
        """A level of a frame."""
        features, pose = previous.features[level], previous.T_camera_map
        return cls(features, pose, previous.intrinsics, stride, confidence)

    def descriptors(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """What the frame shows (B, P, C) at points (B, P, 3), and whether it does (B, P)."""
        pixels, _ = project(self.T_camera_map, points, self.intrinsics[:, None])
        cells = (pixels - (self.stride - 1) / 2) / self.stride
        height, width = self.features.shape[-2:]
        grid = (cells + 0.5) / cells.new_tensor([width, height]) * 2 - 1
        seen = (grid.abs() <= 1).all(-1)
        grid = grid.nan_to_num(0.0)[:, None]
        sampled = grid_sample(self.features, grid, padding_mode="border", align_corners=False)
        return normalize(sampled[:, :, 0].mT, dim=-1), seen

    def fused(self, scene: Tensor, temporal: Tensor, seen: Tensor) -> Tensor:
        """Corr = alpha Corr_s + (1 - alpha) Corr_t where seen, else Corr_s; all (B, P, M)."""
        alpha = (self.confidence + LEAST_MAP_SHARE).clamp(max=1.0)[:, None, None]
        return torch.where(seen, alpha * scene + (1 - alpha) * temporal, scene)


@dataclass(frozen=True)
class CostVolume:
    """The K best scene points for each query pixel, by falling correlation."""

    correlations: Tensor
    """(B, K, h, w), 0 where there is no point."""
    coordinates: Tensor
    """(B, K, 3, h, w), metres in the map frame, nan where there is no point."""


def correlate_with_all(
    query: Tensor, views: LevelViews, best: int, previous: TemporalCorrelation | None = None
) -> CostVolume:
    """Every pixel of queries (B, C, h, w) with every scene point; the `best` of each.

    Scene pixels without known coordinates are no points.
    """
    features, points = views.table()
    pixels = query.flatten(2).mT
    correlations = pixels @ features.mT
    if previous is not None:
        descriptors, seen = previous.descriptors(points)
        correlations = previous.fused(correlations, pixels @ descriptors.mT, seen[:, None])
    known = points.isfinite().all(-1)
    correlations = correlations.masked_fill(~known[:, None], -torch.inf)
    values, index = correlations.topk(min(best, correlations.shape[-1]), dim=-1)
    return _volume(query, values, _gather(points, index), best)


def correlate_in_windows(
    query: Tensor,
    initial: Tensor,
    views: LevelViews,
    window: int,
    best: int,
    previous: TemporalCorrelation | None = None,
) -> CostVolume:
    """Every pixel of queries (B, C, h, w) with `window` x `window` pixels of each scene image.

    These lie around the projection of the pixel's initial coordinates (B, 3, h, w), metres in the
    map frame. What is outside of an image, or has no known coordinates, correlates with 0.
    """
    features, points = views.table()
    index, inside = _windows(initial, views, window)
    index = index.masked_fill(~inside, 0)
    inside = inside & points.isfinite().all(-1)[:, None].take_along_dim(index, dim=-1)
    pixels = query.flatten(2).mT.contiguous()
    correlations = _correlate_at(pixels, features, index)
    if previous is not None:
        descriptors, seen = previous.descriptors(points)
        temporal = _correlate_at(pixels, descriptors, index)
        seen = seen[:, None].take_along_dim(index, dim=-1)
        correlations = previous.fused(correlations, temporal, seen)
    correlations = correlations.masked_fill(~inside, 0.0)
    values, chosen = correlations.topk(min(best, correlations.shape[-1]), dim=-1)
    points = _gather(points, index.take_along_dim(chosen, dim=-1))
    inside = inside.take_along_dim(chosen, dim=-1)
    return _volume(query, values, points.masked_fill(~inside[..., None], torch.nan), best)


def _correlate_at(pixels: Tensor, features: Tensor, index: Tensor) -> Tensor:
    """Of pixels (B, P, C) with the rows of features (B, R, C) at indices (B, P, M); (B, P, M)."""
    # One column at a time: what is gathered for it stays in the processor's cache.
    columns = [
        (_gather(features, column[..., None])[:, :, 0] * pixels).sum(-1)
        for column in index.unbind(-1)
    ]
    return torch.stack(columns, dim=-1)


def _windows(initial: Tensor, views: LevelViews, window: int) -> tuple[Tensor, Tensor]:
    """Rows of the scene's table (B, P, N d d) in the windows, and whether they are in an image."""
    batch, count, _, height, width = views.features.shape
    points = initial.flatten(2).mT[:, None]
    pixels, _ = project(views.T_camera_map, points, views.intrinsics[:, :, None])
    cells = ((pixels - (views.stride - 1) / 2) / views.stride).round()
    # Far outside, as are points behind a view: too far for integers otherwise.
    cells = cells.nan_to_num(-1e6).clamp(-1e6, 1e6).long()
    reach = torch.arange(window, device=initial.device) - window // 2
    columns = (cells[..., 0, None, None] + reach).expand(*cells.shape[:-1], window, window)
    rows = (cells[..., 1, None, None] + reach[:, None]).expand_as(columns)
    inside = (columns >= 0) & (columns < width) & (rows >= 0) & (rows < height)
    first = (torch.arange(count, device=initial.device) * height * width)[:, None, None, None]
    index = first + rows * width + columns
    shape = (batch, -1, count * window * window)
    return index.transpose(1, 2).reshape(shape), inside.transpose(1, 2).reshape(shape)


def _volume(query: Tensor, values: Tensor, points: Tensor, best: int) -> CostVolume:
    """Of correlations (B, P, K') and points (B, P, K', 3), filled up with nothing to `best`."""
    missing = best - values.shape[-1]
    values = torch.nn.functional.pad(values, (0, missing), value=-torch.inf)
    points = torch.nn.functional.pad(points, (0, 0, 0, missing), value=torch.nan)
    nothing = values.isneginf()
    values = values.masked_fill(nothing, 0.0).mT
    points = points.masked_fill(nothing[..., None], torch.nan).permute(0, 2, 3, 1)
    size = query.shape[-2:]
    return CostVolume(
        values.reshape(*values.shape[:-1], *size), points.reshape(*points.shape[:-1], *size)
    )


def _rows(maps: Tensor) -> Tensor:
    """Maps (B, N, C, h, w) as rows (B, N h w, C)."""
    return maps.permute(0, 1, 3, 4, 2).flatten(1, 3)


def _gather(rows: Tensor, index: Tensor) -> Tensor:
    """Rows (B, P, M, C) of tables (B, R, C) at indices (B, P, M)."""
    first = torch.arange(len(rows), device=rows.device) * rows.shape[1]
    flat = (index + first[:, None, None]).flatten()
    chosen: Tensor = rows.flatten(0, 1).index_select(0, flat)
    return chosen.reshape(*index.shape, -1)
