"""Features and their image gradients between the cells of a level."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import embedding_bag

from dense_reloc_ros.features.extractor import FeatureLevel

GradientKernel = Literal["central", "sobel", "sobel_normalized"]


@dataclass(frozen=True)
class FeatureSamples:
    """What a level holds at some pixels (...)."""

    values: Tensor
    """(..., C)."""
    gradients: Tensor
    """(..., 2, C): derivatives by the pixel's x and y; zero outside."""
    inside: Tensor
    """(...) bool: whether the pixel lies between cells of the level."""


@dataclass(frozen=True)
class FeatureGradients:
    """The feature map of one image and its gradient map, both sampled bilinearly.

    The gradient map is not stored: a bilinear sample of it is a sum of the 4x4 cells around the
    pixel, weighted by where in the middle of them the pixel lies. For some hundred points in some
    dozen steps that costs less than to make the map.
    """

    level: FeatureLevel
    cells: Tensor
    """(h * w, C), one image after the other."""
    kernel: GradientKernel
    images: Tensor | None = None
    """(M,) the image of each pixel (..., M, 2); None: the first one."""

    @classmethod
    def of(
        cls, level: FeatureLevel, kernel: GradientKernel, images: Tensor | None = None
    ) -> FeatureGradients:
        """The features of a level, in single precision at least.

        The gradient's `kernel` is `central`: (F(x + 1) - F(x - 1)) / 2, accurate to second order;
        or `sobel_normalized`: the same, averaged over three lines by (1, 2, 1) / 4; or `sobel`:
        eight times that, which is the kernel of whole numbers as it stands, and what Xue et al.'s
        published code compares with.
        """
        values = level.values[:1] if images is None else level.values
        values = values.to(torch.promote_types(values.dtype, torch.float32))
        cells = values.permute(0, 2, 3, 1).flatten(0, 2).contiguous()
        return cls(level, cells, kernel, images)

    def sample(self, pixels: Tensor) -> FeatureSamples:
        """Features and gradients at pixels (..., 2); nan is outside.

        Beyond the border the outermost cells are repeated.
        """
        height, width = self.level.values.shape[-2:]
        position = self.level.pixels_to_cells(pixels.to(self.cells))
        last = (self.level.size(self.images) - 1).to(position)
        inside = ((position >= 0) & (position <= last)).all(-1)
        position = torch.where(inside[..., None], position, 0.0)
        corner = position.floor().minimum(last - 1).clamp(min=0)
        around = corner.long()[..., None] + torch.arange(-1, 3, device=corner.device)
        around = around.minimum(last.long()[..., None]).clamp(min=0)
        index = around[..., 1, :, None] * width + around[..., 0, None, :]
        if self.images is not None:
            index += self.images[:, None, None] * (height * width)
        stencils = self._stencils(position - corner)
        stencils[..., 1:, :, :] *= inside[..., None, None, None]
        sums = embedding_bag(
            index[..., None, :, :].expand(stencils.shape).reshape(-1, 16),
            self.cells,
            per_sample_weights=stencils.reshape(-1, 16),
            mode="sum",
        ).unflatten(0, stencils.shape[:-2])
        return FeatureSamples(sums[..., 0, :], sums[..., 1:, :], inside)

    def _stencils(self, fraction: Tensor) -> Tensor:
        """Weights (..., 3, 4, 4) of 4x4 cells (row, column) in the value and both derivatives.

        Pixels lie `fraction` (..., 2) of a cell right of and below the second cell.
        """
        near, far = 1 - fraction, fraction
        zero = torch.zeros_like(fraction)
        value = torch.stack([zero, near, far, zero], dim=-1)
        slope = torch.stack([-near, -far, near, far], dim=-1) / (2 * self.level.stride)
        across = value
        if self.kernel != "central":
            across = torch.stack([near, 2 * near + far, near + 2 * far, far], dim=-1) / 4
        if self.kernel == "sobel":
            slope = 8 * slope
        by_column_and_row = ((value, value), (slope, across), (across, slope))
        return torch.stack(
            [row[..., 1, :, None] * column[..., 0, None, :] for column, row in by_column_and_row],
            dim=-3,
        )
