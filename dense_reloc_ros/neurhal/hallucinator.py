"""NeurHal: correspondence maps of a source image's points on a plane around a target (5.3.3)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from dense_reloc_ros.errors import ConfigurationError
from dense_reloc_ros.features.checkpoint_format import CheckpointFormat
from dense_reloc_ros.features.network import TrainableNetwork
from dense_reloc_ros.neurhal.backbones import CompactBackbone, InceptionBackbone
from dense_reloc_ros.neurhal.gated_attention import AttentionLayer, max_pooled
from dense_reloc_ros.neurhal.padding import CorrespondencePlane, LearnedPadding
from dense_reloc_ros.neurhal.positional_encoding import (
    PositionalEncoding,
    image_positions,
    tangents,
)
from dense_reloc_ros.neurhal.variants import NEURHAL_VARIANTS
from dense_reloc_ros.neurhal.variants import NeurHalVariant as NeurHalVariant

HEADS = 4
CROSS_LAYERS = 4
"""k."""
PUBLISHED_PADDING = 0.5
"""γ."""


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
    """ln of correspondence maps (B, N, h, w), each of which sums to one."""
    plane: CorrespondencePlane

    def within(self, share: float) -> HallucinatedMaps:
        """The same on the smaller plane with γ = `share`, where they sum to one again."""
        plane = self.plane
        x, y = plane.padding
        size = (plane.height - 2 * y, plane.width - 2 * x)
        smaller = CorrespondencePlane.around(size, plane.stride, plane.offset, share)
        x, y = x - smaller.padding[0], y - smaller.padding[1]
        kept = self.log_maps[..., y : plane.height - y, x : plane.width - x]
        return HallucinatedMaps(kept - kept.flatten(2).logsumexp(-1)[..., None, None], smaller)


class NeurHal(TrainableNetwork):
    """Siamese backbone, padding, positions, attention and correlation.

    The compact variant differs from the published one in two ways besides its size: positions are
    directions (`tangents`), so that any lens will do, and it is told how far away the points are,
    relative to each other, which a map knows.
    """

    def __init__(
        self,
        name: str,
        image_size: tuple[int, int],
        backbone: CompactBackbone | InceptionBackbone,
        encoding_sizes: Sequence[int],
        padding: float = PUBLISHED_PADDING,
        knows_lens_and_depth: bool = False,
    ) -> None:
        super().__init__()
        self.name = name
        self.image_size = image_size
        """Height and width of the images that it is trained with."""
        channels = encoding_sizes[-1]
        self.backbone = backbone
        self.padding = LearnedPadding(channels, padding)
        self.positions = PositionalEncoding(2, encoding_sizes)
        self.depths = PositionalEncoding(1, encoding_sizes[-3:]) if knows_lens_and_depth else None
        self.self_attention = AttentionLayer(channels, HEADS)
        self.source_attention = AttentionLayer(channels, HEADS)
        self.target_attentions = nn.ModuleList(
            AttentionLayer(channels, HEADS) for _ in range(CROSS_LAYERS)
        )

    @property
    def checkpoint_formats(self) -> Sequence[CheckpointFormat]:
        return [self.backbone.pretrained("backbone.")]

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
        """
        points = sampled(source, pixels)
        if self.depths is not None:
            points = points + self.depths(relative_depths(depths)[..., None])
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
        positions = (
            image_positions(pixels, self.image_size)
            if self.depths is None
            else tangents(pixels, intrinsics)
        )
        encoded: Tensor = self.positions(positions)
        return values.permute(0, 2, 3, 1) + encoded


def sampled(source: SourceView, pixels: Tensor) -> Tensor:
    """Features (B, N, C) of a source at pixels (B, N, 2), bilinear."""
    height, width = source.grid.shape[1:3]
    cells = (pixels - source.offset) / source.stride
    grid = (cells + 0.5) / cells.new_tensor([width, height]) * 2 - 1
    values = source.grid.permute(0, 3, 1, 2)
    found: Tensor = torch.nn.functional.grid_sample(
        values, grid[:, None].to(values.dtype), padding_mode="border", align_corners=False
    )
    return found[:, :, 0].transpose(1, 2)


def relative_depths(depths: Tensor) -> Tensor:
    """ln of depths (B, N) over their median in each image; 0 where unknown."""
    known = depths > 0
    median = depths.where(known, torch.nan).nanmedian(dim=1, keepdim=True).values
    return (depths / median).clamp(min=1e-6).log().where(known, 0.0)


def create_hallucinator(variant: NeurHalVariant) -> NeurHal:
    """The network of a variant before training: weights are loaded by `features.weights`.

    Raises:
        ConfigurationError: there is none of this name; lists those that are.
    """
    if variant not in NEURHAL_VARIANTS:
        known = ", ".join(NEURHAL_VARIANTS)
        raise ConfigurationError(f"unknown variant of NeurHal '{variant}' (known: {known})")
    if variant == "neurhal":
        sizes = (32, 64, 128, 256, 384)
        return NeurHal(variant, (480, 640), InceptionBackbone(sizes[-1]), sizes)
    small = (32, 64, 128)
    return NeurHal(
        variant, (192, 256), CompactBackbone(small[-1]), small, knows_lens_and_depth=True
    )
