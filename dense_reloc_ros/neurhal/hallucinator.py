"""NeurHal: correspondence maps of a source image's points on a plane around a target (5.3.3)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from dense_reloc_ros.features.checkpoint_format import CheckpointFormat
from dense_reloc_ros.features.network import TrainableNetwork
from dense_reloc_ros.neurhal.backbones import CompactBackbone, InceptionBackbone
from dense_reloc_ros.neurhal.gated_attention import AttentionLayer, max_pooled
from dense_reloc_ros.neurhal.padding import CorrespondencePlane, LearnedPadding
from dense_reloc_ros.neurhal.positional_encoding import PositionalEncoding, image_positions

HEADS = 4
CROSS_LAYERS = 4
"""k."""
PUBLISHED_PADDING = 0.5
"""γ."""
LEAST = 1e-6
"""Probability of being elsewhere that is not told from none."""


@dataclass(frozen=True)
class SourceView:
    """A source image as the network sees it."""

    grid: Tensor
    """H_S with its positions (B, h, w, C)."""
    stride: int
    offset: float


@dataclass(frozen=True)
class TargetView:
    """A target image as the network sees it, with the plane around it."""

    grid: Tensor
    """D_T,pad (B, h, w, C)."""
    plane: CorrespondencePlane


@dataclass(frozen=True)
class HallucinatedMaps:
    """Where points may lie on the plane around a target image."""

    log_maps: Tensor
    """ln of correspondence maps (B, N, h, w), each of which sums to one with `log_elsewhere`."""
    plane: CorrespondencePlane
    log_elsewhere: Tensor | None = None
    """(B, N): ln of the probability that a point is not on the plane; None, they all are."""

    def within(self, share: float) -> HallucinatedMaps:
        """The same on the smaller plane with γ = `share`; the rest is elsewhere."""
        plane = self.plane
        x, y = plane.padding
        size = (plane.height - 2 * y, plane.width - 2 * x)
        smaller = CorrespondencePlane.around(size, plane.stride, plane.offset, share)
        x, y = x - smaller.padding[0], y - smaller.padding[1]
        kept = self.log_maps[..., y : plane.height - y, x : plane.width - x]
        rest = torch.log1p(-kept.flatten(2).logsumexp(-1).exp().clamp(max=1 - LEAST))
        return HallucinatedMaps(kept, smaller, rest)

    def on_plane(self) -> HallucinatedMaps:
        """Of points that are known to be on the plane: maps sum to one."""
        total = self.log_maps.flatten(2).logsumexp(-1)[..., None, None]
        return HallucinatedMaps(self.log_maps - total, self.plane)


class NeurHal(TrainableNetwork):
    """Siamese backbone, padding, positions, attention and correlation, as published."""

    def __init__(
        self,
        name: str,
        image_size: tuple[int, int],
        backbone: CompactBackbone | InceptionBackbone,
        positions: PositionalEncoding,
        channels: int,
        padding: float = PUBLISHED_PADDING,
    ) -> None:
        super().__init__()
        self.name = name
        self.image_size = image_size
        """Height and width of the images that it is trained with."""
        self.backbone = backbone
        self.padding = LearnedPadding(channels, padding)
        self.positions = positions
        self.self_attention = AttentionLayer(channels, HEADS)
        self.source_attention = AttentionLayer(channels, HEADS)
        self.target_attentions = nn.ModuleList(
            AttentionLayer(channels, HEADS) for _ in range(CROSS_LAYERS)
        )

    @property
    def checkpoint_formats(self) -> Sequence[CheckpointFormat]:
        return self.backbone.pretrained("backbone.")

    def trunk_parameters(self) -> Iterator[nn.Parameter]:
        return self.backbone.trunk_parameters()

    def source_view(self, inputs: Tensor, intrinsics: Tensor) -> SourceView:
        """Images (B, 3, H, W) in [0, 1], or what `backbone.frozen` gave, of cameras (B, 4)."""
        level = self.backbone(inputs)
        plane = CorrespondencePlane.around(level.values.shape[-2:], level.stride, level.offset, 0)
        return SourceView(
            self._with_positions(level.values, plane, intrinsics), level.stride, level.offset
        )

    def target_view(self, inputs: Tensor, intrinsics: Tensor) -> TargetView:
        """The same of target images, padded, after its look at itself."""
        padded, plane = self.padding(self.backbone(inputs))
        grid = self._with_positions(padded, plane, intrinsics)
        seen = self.self_attention(grid.flatten(1, 2), max_pooled(grid))
        return TargetView(seen.reshape(grid.shape), plane)

    def match(
        self, source: SourceView, target: TargetView, pixels: Tensor, depths: Tensor
    ) -> HallucinatedMaps:
        """Maps of points at pixels (B, N, 2) of the source, with their depth (B, N), 0 if unknown.

        The views of one target may be shared by several sources: its B is that of the source or 1.
        The published network is not told the depths.
        """
        points = sampled(source.grid, pixels, source.stride, source.offset)
        points = self.source_attention(points, max_pooled(source.grid))
        grid = target.grid.expand(len(points), -1, -1, -1)
        context = max_pooled(grid)
        for layer in self.target_attentions:
            points = layer(points, context)
        correlation = points @ grid.flatten(1, 2).mT / points.shape[-1] ** 0.5
        log_maps = torch.log_softmax(correlation.float(), dim=-1)
        shape = (*log_maps.shape[:2], target.plane.height, target.plane.width)
        return HallucinatedMaps(log_maps.reshape(shape), target.plane)

    def _with_positions(
        self, values: Tensor, plane: CorrespondencePlane, intrinsics: Tensor
    ) -> Tensor:
        """Maps (B, C, h, w) with their encoded positions, (B, h, w, C)."""
        pixels = plane.centres(values.device).expand(len(values), -1, -1, -1)
        encoded: Tensor = self.positions(self._coordinates(pixels, intrinsics))
        return values.permute(0, 2, 3, 1) + encoded

    def _coordinates(self, pixels: Tensor, intrinsics: Tensor) -> Tensor:
        """Pixels (B, h, w, 2) as what their positions are made of."""
        return image_positions(pixels, self.image_size)


def sampled(grid: Tensor, pixels: Tensor, stride: int, offset: float) -> Tensor:
    """Features (B, N, C) of a source's grid (B, h, w, C) at pixels (B, N, 2), bilinear."""
    height, width = grid.shape[1:3]
    cells = (pixels - offset) / stride
    places = (cells + 0.5) / cells.new_tensor([width, height]) * 2 - 1
    values = grid.permute(0, 3, 1, 2)
    found: Tensor = torch.nn.functional.grid_sample(
        values, places[:, None].to(values.dtype), padding_mode="border", align_corners=False
    )
    return found[:, :, 0].transpose(1, 2)
