"""The small variant of NeurHal: it begins with matches, and points hear of each other's."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, normalize, pad, softplus

from dense_reloc_ros.neurhal.backbones import CompactBackbone
from dense_reloc_ros.neurhal.descriptor_matching import (
    TEMPERATURES,
    log_gain,
    mutual_matches,
)
from dense_reloc_ros.neurhal.gated_attention import AttentionLayer, max_pooled
from dense_reloc_ros.neurhal.hallucinator import (
    CROSS_LAYERS,
    HEADS,
    HallucinatedMaps,
    NeurHal,
    SourceView,
    TargetView,
    sampled,
)
from dense_reloc_ros.neurhal.padding import CorrespondencePlane
from dense_reloc_ros.neurhal.positional_encoding import PositionalEncoding, octaves, tangents

CHANNELS = 128
OCTAVES = 5
ENCODED = 2 * (1 + 2 * OCTAVES)
"""Numbers that encode a direction."""
LEVEL_STRIDE, LEVEL_OFFSET = 8, 3.5
"""Of the coarse level of `compact`, in pixels of the half-size image."""
CONTEXT = 128
"""Points of a source, evenly among them, that all others hear of."""


@dataclass(frozen=True)
class CompactSourceView(SourceView):
    """With the descriptors that do not learn."""

    level: Tensor
    """(B, h, w, 128), of length one."""
    intrinsics: Tensor
    """(B, 4)."""


@dataclass(frozen=True)
class CompactTargetView(TargetView):
    """With the plane at half its resolution, and the descriptors that do not learn."""

    context: Tensor
    """(B, cells, C)."""
    level: Tensor
    """(B, h, w, 128), of length one."""
    intrinsics: Tensor
    """(B, 4)."""


class CompactNeurHal(NeurHal):
    """NeurHal on the coarse level of `compact`, for few rooms and little time to learn.

    It differs from the published network in this: positions are directions (`tangents`), so that
    any lens will do, in octaves. It is told how far away points are relative to each other, which
    a map knows. Points begin with where their descriptors fit in the target (`mutual_matches`),
    and between two looks at the target they look at each other: what is outside of the target
    follows from where others are. A map is the correlation of 5.3.3 times what fits and times a
    peak with heavy tails at a place that the point names. One more category takes what is not on
    the plane at all.
    """

    backbone: CompactBackbone

    def __init__(self) -> None:
        positions = PositionalEncoding(ENCODED, (CHANNELS, CHANNELS))
        super().__init__(
            "neurhal_compact", (192, 256), CompactBackbone(CHANNELS), positions, CHANNELS
        )
        self.points = PositionalEncoding(
            ENCODED + 2 + len(TEMPERATURES) * (ENCODED + 1), (CHANNELS, CHANNELS)
        )
        self.mutual_attentions = nn.ModuleList(
            AttentionLayer(CHANNELS, HEADS) for _ in range(CROSS_LAYERS)
        )
        self.norm = nn.LayerNorm(CHANNELS)
        self.place = nn.Linear(CHANNELS, 6)

    def source_view(self, inputs: Tensor, intrinsics: Tensor) -> CompactSourceView:
        level = self.backbone.level(inputs)
        view = super().source_view(level, intrinsics)
        return CompactSourceView(
            view.grid, view.stride, view.offset, level.permute(0, 2, 3, 1), intrinsics
        )

    def target_view(self, inputs: Tensor, intrinsics: Tensor) -> CompactTargetView:
        level = self.backbone.level(inputs)
        padded, plane = self.padding(self.backbone(level))
        grid = self._with_positions(padded, plane, intrinsics)
        pooled = max_pooled(grid)
        context = self.self_attention(pooled, pooled)
        # What the plane sees of itself at half its resolution is added to each of its cells.
        height, width = plane.height // 2, plane.width // 2
        seen = (context - pooled).unflatten(1, (height, width))
        grid = grid + seen.repeat_interleave(2, 1).repeat_interleave(2, 2)
        return CompactTargetView(grid, plane, context, level.permute(0, 2, 3, 1), intrinsics)

    def match(
        self, source: SourceView, target: TargetView, pixels: Tensor, depths: Tensor
    ) -> HallucinatedMaps:
        assert isinstance(source, CompactSourceView)
        assert isinstance(target, CompactTargetView)
        count, plane = len(pixels), target.plane
        own = sampled(source.level, pixels, LEVEL_STRIDE, LEVEL_OFFSET)
        level = target.level.expand(count, -1, -1, -1)
        fits = mutual_matches(
            normalize(own, dim=-1), source.level[:, ::2, ::2].flatten(1, 2), level.flatten(1, 2)
        )
        points = sampled(source.grid, pixels, source.stride, source.offset)
        points = points + self._facts(source, target, pixels, depths, fits)
        points = self.source_attention(points, max_pooled(source.grid))
        context = target.context.expand(count, -1, -1)
        for mutual, layer in zip(self.mutual_attentions, self.target_attentions, strict=True):
            points = layer(mutual(points, _context(points)), context)
        points = self.norm(points)
        grid = target.grid.flatten(1, 2).expand(count, -1, -1)
        correlation = points @ grid.mT / CHANNELS**0.5
        place = self.place(points).float()
        scores = correlation.float() + self._peaks(place, plane, target.intrinsics)
        fitting = log_gain(_on_plane(fits.mean(1), (level.shape[1], level.shape[2]), plane))
        scores = scores + softplus(place[..., 4:5]) * fitting
        elsewhere = place[..., 5:]
        log_maps = torch.cat([scores, elsewhere], dim=-1).log_softmax(-1)
        shape = (*log_maps.shape[:2], plane.height, plane.width)
        return HallucinatedMaps(log_maps[..., :-1].reshape(shape), plane, log_maps[..., -1])

    def _facts(
        self,
        source: CompactSourceView,
        target: CompactTargetView,
        pixels: Tensor,
        depths: Tensor,
        fits: Tensor,
    ) -> Tensor:
        """What is known of points (B, N, C): direction, distance, and where they may be seen."""
        height, width = target.level.shape[1:3]
        cells = CorrespondencePlane.around((height, width), LEVEL_STRIDE, LEVEL_OFFSET, 0)
        there = cells.centres(pixels.device).flatten(0, 1)[None].expand(len(target.level), -1, -1)
        encoded = octaves(tangents(there, target.intrinsics), OCTAVES)
        seen = torch.cat([encoded, torch.ones_like(encoded[..., :1])], dim=-1)[:, None]
        facts = [
            octaves(tangents(pixels, source.intrinsics), OCTAVES),
            relative_depths(depths)[..., None],
            (depths > 0)[..., None].to(pixels.dtype),
            (fits @ seen.to(fits.dtype)).transpose(1, 2).flatten(2),
        ]
        found: Tensor = self.points(torch.cat(facts, dim=-1))
        return found

    def _coordinates(self, pixels: Tensor, intrinsics: Tensor) -> Tensor:
        return octaves(tangents(pixels, intrinsics), OCTAVES)

    def _peaks(self, place: Tensor, plane: CorrespondencePlane, intrinsics: Tensor) -> Tensor:
        """-n ln(1 + |x - m|^2 / s^2) of all cells (B, N, cells); `place` has m, ln s and n."""
        centres = plane.centres(place.device).flatten(0, 1)[None]
        cells = tangents(centres.expand(len(intrinsics), -1, -1), intrinsics)
        cells = cells.expand(len(place), -1, -1)
        means, tightness, power = place[..., :2], 4 * place[..., 2:3], place[..., 3:4]
        squared = (
            means.square().sum(-1, keepdim=True)
            + cells.square().sum(-1)[:, None]
            - 2 * means @ cells.mT
        ).clamp(min=0)
        return -softplus(power) * torch.log1p(tightness.clamp(max=8).exp() * squared)


def relative_depths(depths: Tensor) -> Tensor:
    """ln of depths (B, N) over their median in each image; 0 where unknown."""
    known = depths > 0
    median = depths.where(known, torch.nan).nanmedian(dim=1, keepdim=True).values
    return (depths / median).clamp(min=1e-6).log().where(known, 0.0)


def _context(points: Tensor) -> Tensor:
    """Up to CONTEXT of the points (B, N, C), evenly among them."""
    count = points.shape[1]
    if count <= CONTEXT:
        return points
    return points[:, torch.linspace(0, count - 1, CONTEXT).round().long()]


def _on_plane(values: Tensor, size: tuple[int, int], plane: CorrespondencePlane) -> Tensor:
    """Values (B, N, M) of a level's cells, summed on the plane's (B, N, cells); 0 outside."""
    of_cells = 4 * avg_pool2d(values.reshape(*values.shape[:2], *size), 2)
    x, y = plane.padding
    return pad(of_cells, (x, x, y, y)).flatten(2)
