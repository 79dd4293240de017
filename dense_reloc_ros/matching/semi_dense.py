"""Semi-dense matching of two images by their dense features: sparse-to-dense both ways.

Pixels of one image, spread over all of it, are looked for in the other one: first the coarse cells
that are each other's best match, then a window of the fine level there, and back (thesis 3.4, eqs.
A.1-A.3). It stands for the detector-free matcher that DeViLoc takes from others.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from dense_reloc_ros.features.extractor import DenseFeatures, FeatureLevel
from dense_reloc_ros.matching.windows import Windows, local_log_maps

PIXELS_PER_CELL = 2
"""Pixels that are looked for in each coarse cell: those whose fine features are most distinct."""
DISTINCT_STEP = 2
"""Fine cells to the neighbours that a pixel must differ from."""
WINDOW = 12
"""Fine cells that a window is wide and high: three coarse cells."""
TEMPERATURE = 0.02
"""Of the softmax of correlations in a window."""
LARGEST_RETURN = 1.0
"""Fine cells by which a match may miss the pixel that it came from on the way back."""


@dataclass(frozen=True)
class SemiDenseMatches:
    """N pixels of one image and where another one shows the same."""

    pixels: Tensor
    """(N, 2) of the first image: the centres of fine cells, the same ones for any other image."""
    other_pixels: Tensor
    """(N, 2) of the other image, finer than its cells."""

    def __len__(self) -> int:
        return len(self.pixels)


def distinct_pixels(features: DenseFeatures) -> Tensor:
    """Pixels (h, w, K, 2) of an image (B = 1): K centres of fine cells in each coarse cell.

    They are those that differ most from what lies beside them in any direction, as corners do
    (Moravec), here by features.
    """
    coarse, fine = features.levels["coarse"], features.levels["fine"]
    height, width = coarse.values.shape[-2:]
    ratio = coarse.stride // fine.stride
    blocks = _distinctness(fine.values[0])[: height * ratio, : width * ratio]
    blocks = blocks.unflatten(0, (height, ratio)).unflatten(2, (width, ratio)).permute(0, 2, 1, 3)
    best = blocks.flatten(2).topk(PIXELS_PER_CELL, dim=-1).indices
    rows = torch.arange(height, device=best.device)[:, None, None] * ratio + best // ratio
    columns = torch.arange(width, device=best.device)[:, None] * ratio + best % ratio
    return fine.cells_to_pixels(torch.stack([columns, rows], dim=-1).to(fine.values.dtype))


def mutual_cells(one: FeatureLevel, other: FeatureLevel) -> tuple[Tensor, Tensor]:
    """Cells (M,), (M,) of two images' levels (B = 1) that are each other's most similar one."""
    correlation = one.values[0].flatten(1).T @ other.values[0].flatten(1)
    forth, back = correlation.argmax(1), correlation.argmax(0)
    cells = torch.arange(len(forth), device=forth.device)
    mutual = back[forth] == cells
    return cells[mutual], forth[mutual]


def match_semi_dense(
    features: DenseFeatures, pixels: Tensor, other: DenseFeatures
) -> SemiDenseMatches:
    """Where another image (B = 1) shows what an image shows at its `distinct_pixels`."""
    coarse, other_coarse = features.levels["coarse"], other.levels["coarse"]
    fine, other_fine = features.levels["fine"], other.levels["fine"]
    cells, other_cells = mutual_cells(coarse, other_coarse)
    wanted = pixels.flatten(0, 1)[cells]
    shift = _centres(other_coarse, other_cells) - _centres(coarse, cells)
    wanted, guesses = wanted.flatten(0, 1), (wanted + shift[:, None]).flatten(0, 1)
    found = _looked_for(fine.sample(wanted), other_fine, guesses)
    returned = _looked_for(other_fine.sample(found), fine, wanted)
    near = (returned - wanted).norm(dim=-1) <= LARGEST_RETURN * fine.stride
    return SemiDenseMatches(wanted[near], found[near])


def _looked_for(descriptors: Tensor, level: FeatureLevel, guesses: Tensor) -> Tensor:
    """The pixels (N, 2) most like descriptors (N, C) in windows around pixels (N, 2)."""
    return peaks(local_log_maps(descriptors, level, guesses, WINDOW, TEMPERATURE), level)


def peaks(windows: Windows, level: FeatureLevel) -> Tensor:
    """The highest places (N, 2) of windows in pixels: the mean of the best cell and its neighbours.

    Windows wholly outside of the image have none: nan.
    """
    size = windows.log_maps.shape[-1]
    flat = windows.log_maps.flatten(1)
    best = flat.argmax(1)
    row, column = best // size, best % size
    steps = torch.arange(-1, 2, device=best.device)
    rows, columns = row[:, None, None] + steps[:, None], column[:, None, None] + steps
    inside = (rows >= 0) & (rows < size) & (columns >= 0) & (columns < size)
    index = rows.clamp(0, size - 1) * size + columns.clamp(0, size - 1)
    weights = flat.gather(1, index.flatten(1)).exp().unflatten(1, (3, 3)) * inside
    weights = weights / weights.sum((1, 2), keepdim=True)
    moved = torch.stack([(weights.sum(1) * steps).sum(1), (weights.sum(2) * steps).sum(1)], dim=-1)
    cells = windows.origins + torch.stack([column, row], dim=-1) + moved
    return level.cells_to_pixels(cells)


def _distinctness(values: Tensor) -> Tensor:
    """How little each cell of a level (C, h, w) is like its neighbours, (h, w); 0 at the border."""
    step = DISTINCT_STEP
    height, width = values.shape[-2:]
    middle = values[:, step : height - step, step : width - step]
    similar = [
        (middle * values[:, step + y : height - step + y, step + x : width - step + x]).sum(0)
        for y, x in ((0, step), (step, 0), (step, step), (step, -step))
    ]
    similar += [
        (middle * values[:, step - y : height - step - y, step - x : width - step - x]).sum(0)
        for y, x in ((0, step), (step, 0), (step, step), (step, -step))
    ]
    distinct = 1 - torch.stack(similar).amax(0)
    return torch.nn.functional.pad(distinct, (step, step, step, step))


def _centres(level: FeatureLevel, cells: Tensor) -> Tensor:
    """Pixels (M, 2) of the centres of cells (M,) of a level."""
    width = level.values.shape[-1]
    grid = torch.stack([cells % width, cells // width], dim=-1)
    return level.cells_to_pixels(grid.to(level.values.dtype))
