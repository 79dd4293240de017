"""Truncated negative log-likelihoods of where each map point lies in the query (thesis 4.3.2)."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor
from torch.nn.functional import grid_sample

from dense_reloc_ros.features.extractor import FeatureLevel
from dense_reloc_ros.pose.compiled_best_pixels import best_pixels_of_windows

FAR = 1e3
"""Sizes of a map from its centre, where nothing gains."""


@dataclass(frozen=True)
class LossMaps:
    """One loss map a point, stored as what it gains over an outlier: ln|Ω| - L (eq. 4.7).

    `gains` (M, h, w) is zero where the map is truncated, and means zero outside of the map. Map n
    covers cells `origins[n]` (column, row) and following of a grid whose cell c has its centre at
    pixel stride * c + offset. `outlier_loss` is ln|Ω|.
    """

    gains: Tensor
    origins: Tensor
    stride: int
    offset: float
    outlier_loss: float

    @property
    def point_count(self) -> int:
        return self.gains.shape[0]

    def cells(self, pixels: Tensor) -> Tensor:
        """Pixels (..., M, 2) as cells (column, row) of each point's own map."""
        return (pixels - self.offset) / self.stride - self.origins

    @cached_property
    def best_pixels(self) -> tuple[Tensor, Tensor]:
        """The pixel (M, 2) of each map's lowest loss, to a fraction of a cell, and its gain (M,).

        Parabolas through the neighbours refine the argmin of eq. 4.8; nan where a map is truncated
        everywhere.
        """
        if self.gains.device.type == "cpu" and self.gains.dtype == torch.float32:
            found = best_pixels_of_windows(self.gains, self.origins, self.stride, self.offset)
            return found[:, :2], found[:, 2]
        return self.best_pixels_by_tensors()

    def best_pixels_by_tensors(self) -> tuple[Tensor, Tensor]:
        """`best_pixels` on any device."""
        height, width = self.gains.shape[1:]
        flat = self.gains.flatten(1)
        best, index = flat.max(dim=1)
        cell = torch.stack([index % width, index // width], dim=-1)
        last, step = (index.new_tensor(pair) for pair in ((width - 1, height - 1), (1, width)))
        inside = (cell > 0) & (cell < last)
        neighbours = step * inside
        at_low = flat.gather(1, index[:, None] - neighbours)
        at_high = flat.gather(1, index[:, None] + neighbours)
        curvature = (2 * best[:, None] - at_low - at_high).clamp(min=1e-6)
        # Both are the best one itself where a neighbour is missing, so that the fraction is 0.
        fraction = (0.5 * (at_high - at_low) / curvature).clamp(-0.5, 0.5)
        pixels = (cell + fraction + self.origins) * self.stride + self.offset
        return torch.where(best[:, None] > 0, pixels, torch.nan), best

    def gains_at(self, pixels: Tensor) -> Tensor:
        """Bilinearly interpolated gains (B, M) at pixels (B, M, 2); 0 outside (eq. 4.3)."""
        height, width = self.gains.shape[1:]
        size = pixels.new_tensor([width, height])
        # From -1 at the outer edge of the first cell to 1 at that of the last one.
        places = ((2 * self.cells(pixels) + 1) / size - 1).nan_to_num(FAR, FAR, FAR)
        found = grid_sample(
            self.gains[:, None],
            places.clamp(-FAR, FAR).transpose(0, 1)[:, :, None].to(self.gains),
            padding_mode="zeros",
            align_corners=False,
        )
        return found[:, 0, :, 0].T

    @property
    def truncated_cost(self) -> float:
        """The sum of NREs of a pose that no map agrees with."""
        return self.point_count * self.outlier_loss

    def cost(self, pixels: Tensor) -> Tensor:
        """Sums of Neural Reprojection Errors (B,) of reprojections (B, M, 2) (eq. 4.6)."""
        return self.truncated_cost - self.gains_at(pixels).sum(-1)

    def select(self, points: Tensor) -> LossMaps:
        """The maps of some points (indices)."""
        return LossMaps(
            self.gains[points], self.origins[points], self.stride, self.offset, self.outlier_loss
        )

    def double(self) -> LossMaps:
        """The same in double precision."""
        return replace(self, gains=self.gains.double(), origins=self.origins.double())


def category_count(level: FeatureLevel, image: Tensor | None) -> int | Tensor:
    """|Ω| of maps on a level: its cells and one more; (M,) where images differ in size."""
    if image is None or level.sizes is None:
        return 1 + level.values.shape[-2:].numel()
    return 1 + level.size(image).prod(-1)


def loss_maps(
    log_correspondence_maps: Tensor,
    category_count: int | Tensor,
    stride: int,
    offset: float,
    origins: Tensor | None = None,
) -> LossMaps:
    """Loss maps of log correspondence maps (M, h, w) over |Ω| = `category_count` (eq. 4.7).

    Where the maps are of images of different sizes, (M,), the largest one's ln|Ω| stands for all
    that is measured by it.
    """
    if origins is None:
        origins = log_correspondence_maps.new_zeros(log_correspondence_maps.shape[0], 2)
    if isinstance(category_count, Tensor):
        each = category_count.to(log_correspondence_maps).log()
        outlier_loss = float(each.max()) if len(each) else 0.0
        gains = (log_correspondence_maps + each[:, None, None]).clamp_(min=0.0)
    else:
        outlier_loss = math.log(category_count)
        gains = (log_correspondence_maps + outlier_loss).clamp_(min=0.0)
    return LossMaps(gains, origins, stride, offset, outlier_loss)


def one_hot_loss_maps(pixels: Tensor, category_count: int, stride: int) -> LossMaps:
    """Loss maps of 2D-3D correspondences (M, 2): RE as a special case of NRE (thesis eq. 4.11).

    Each is a single cell, wherever its pixel is.
    """
    gain = math.log(category_count)
    gains = pixels.new_full((len(pixels), 1, 1), gain)
    return LossMaps(gains, pixels / stride, stride, 0.0, gain)
