"""The plane of correspondence maps, larger than the image (thesis 5.3.2 and 5.3.3)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from dense_reloc_ros.features.extractor import FeatureLevel


@dataclass(frozen=True)
class CorrespondencePlane:
    """A grid of cells that goes on outside of the image by `padding` cells.

    The centre of cell (column i, row j), both from 0 at the plane's top-left corner, lies at pixel
    stride * (i - padding_x, j - padding_y) + offset of the image: the calibration matrix K_C of
    eq. 5.1.
    """

    height: int
    """Rows, with the padding."""
    width: int
    padding: tuple[int, int]
    """Columns left and right of the image, rows above and below it."""
    stride: int
    offset: float

    @staticmethod
    def around(
        size: tuple[int, int], stride: int, offset: float, share: float
    ) -> CorrespondencePlane:
        """The plane that adds γ = `share` of an image's cells (height, width) at each side."""
        height, width = size
        padding = (round(share * width), round(share * height))
        return CorrespondencePlane(
            height + 2 * padding[1], width + 2 * padding[0], padding, stride, offset
        )

    @property
    def cell_count(self) -> int:
        """|Ω|: a uniform map has the NRE ln |Ω| everywhere."""
        return self.height * self.width

    def cells(self, pixels: Tensor) -> Tensor:
        """Pixels (..., 2) of the image as fractional cells (column, row) of the plane."""
        return (pixels - self.offset) / self.stride + pixels.new_tensor(self.padding)

    def pixels(self, cells: Tensor) -> Tensor:
        """Cells (..., 2) of the plane as pixels of the image."""
        return (cells - cells.new_tensor(self.padding)) * self.stride + self.offset

    def contains(self, pixels: Tensor) -> Tensor:
        """Whether pixels (..., 2) lie between the centres of the outermost cells, (...)."""
        cells = self.cells(pixels)
        last = cells.new_tensor([self.width - 1, self.height - 1])
        inside: Tensor = ((cells >= 0) & (cells <= last)).all(-1)
        return inside

    def centres(self, device: torch.device | None = None) -> Tensor:
        """Pixels (height, width, 2) of all cells."""
        rows, columns = torch.meshgrid(
            torch.arange(self.height, device=device, dtype=torch.float32),
            torch.arange(self.width, device=device, dtype=torch.float32),
            indexing="ij",
        )
        return self.pixels(torch.stack([columns, rows], dim=-1))


class LearnedPadding(nn.Module):
    """Surrounds features by one learned vector λ (5.3.3)."""

    def __init__(self, channels: int, share: float) -> None:
        super().__init__()
        self.share = share
        """γ: of the image's cells, at each side."""
        self.vector = nn.Parameter(torch.randn(channels) / channels**0.5)

    def forward(self, level: FeatureLevel) -> tuple[Tensor, CorrespondencePlane]:
        """Maps (B, C, height, width) of the plane around a level's image, and the plane."""
        values = level.values
        batch, _, height, width = values.shape
        plane = CorrespondencePlane.around((height, width), level.stride, level.offset, self.share)
        padded = self.vector[None, :, None, None].to(values.dtype)
        padded = padded.repeat(batch, 1, plane.height, plane.width)
        x, y = plane.padding
        padded[:, :, y : y + height, x : x + width] = values
        return padded, plane
