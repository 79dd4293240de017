"""The features of training pairs, and how well they match on the validation pairs."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from dense_reloc_ros.features.extractor import DenseFeatures, FeatureLevel
from dense_reloc_ros.features.network import FeatureNetwork
from dense_reloc_ros.matching.correlation import correlate
from dense_reloc_ros.matching.filters import best_cells, best_matches
from dense_reloc_ros.training.examples import PairBatch


def features_of_pairs(
    network: FeatureNetwork, batch: PairBatch, precision: torch.dtype
) -> tuple[DenseFeatures, DenseFeatures, PairBatch]:
    """Features of the source and the target images, computed together; float32 for the losses.

    And the batch itself: what losses of features get.
    """
    images = torch.cat([batch.source_image, batch.target_image])
    enabled = precision != torch.float32
    with torch.autocast(images.device.type, precision if enabled else None, enabled=enabled):
        features: DenseFeatures = network(images)
    size = len(batch.source_image)
    return _part(features, slice(0, size)), _part(features, slice(size, None)), batch


def _part(features: DenseFeatures, images: slice) -> DenseFeatures:
    return DenseFeatures(
        levels={
            name: replace(level, values=level.values[images].float())
            for name, level in features.levels.items()
        },
        global_descriptor=features.global_descriptor[images].float(),
    )


@dataclass
class Matches:
    """Where the best matches of visible points lie, of all batches that were added.

    `coarse_1_cell`, `coarse_2_cells`: share of points whose best cell of the coarse level has its
    centre at most so many cells from the truth. `fine_median_px`: median distance from the truth of
    the best place of the fine level within the coarse cell that the truth lies in and its
    neighbours, refined below a cell. `place_recall`: share of the target images whose nearest
    source image of all pairs, by global descriptor, shows the same place.
    """

    coarse_cells: list[Tensor] = field(default_factory=list)
    fine_pixels: list[Tensor] = field(default_factory=list)
    source_descriptors: list[Tensor] = field(default_factory=list)
    target_descriptors: list[Tensor] = field(default_factory=list)
    places: list[Tensor] = field(default_factory=list)

    def add(self, source: DenseFeatures, target: DenseFeatures, batch: PairBatch) -> None:
        """Matches the visible points of a batch."""
        for image in range(len(batch.place)):
            visible = batch.visible[image]
            from_pixels = batch.source_pixels[image][visible]
            to_pixels = batch.target_pixels[image][visible]
            if len(to_pixels):
                coarse = target.levels["coarse"]
                descriptors = source.levels["coarse"].sample(from_pixels, image)
                maps = correlate(descriptors, coarse, image)
                error = best_matches(maps, coarse) - to_pixels
                self.coarse_cells.append(error.norm(dim=-1).cpu() / coarse.stride)

                fine = target.levels["fine"]
                descriptors = source.levels["fine"].sample(from_pixels, image)
                maps = correlate(descriptors, fine, image)
                maps = _within_coarse_neighbours(maps, fine, coarse, to_pixels)
                error = fine.cells_to_pixels(refined_best_cells(maps)) - to_pixels
                self.fine_pixels.append(error.norm(dim=-1).cpu())
        self.source_descriptors.append(source.global_descriptor.cpu())
        self.target_descriptors.append(target.global_descriptor.cpu())
        self.places.append(batch.place.cpu())

    def metrics(self) -> dict[str, float]:
        """By name; NaN where there was no visible point."""
        metrics = {
            "coarse_1_cell": math.nan,
            "coarse_2_cells": math.nan,
            "fine_median_px": math.nan,
        }
        if self.coarse_cells:
            cells, pixels = torch.cat(self.coarse_cells), torch.cat(self.fine_pixels)
            metrics["coarse_1_cell"] = float((cells <= 1).float().mean())
            metrics["coarse_2_cells"] = float((cells <= 2).float().mean())
            metrics["fine_median_px"] = float(pixels.median())
        places = torch.cat(self.places)
        similarity = torch.cat(self.target_descriptors) @ torch.cat(self.source_descriptors).T
        right = places[similarity.argmax(1)] == places
        return {**metrics, "place_recall": float(right.float().mean())}


def refined_best_cells(maps: Tensor) -> Tensor:
    """Fractional cells (M, 2) of the maxima of maps (M, h, w), at least 1 x 1.

    The vertex of the parabola through a maximum and its two neighbours, along each axis; the cell
    itself where a neighbour is missing or -inf.
    """
    best = best_cells(maps)
    column, row = best.long().unbind(-1)
    padded = torch.nn.functional.pad(maps, (1, 1, 1, 1), value=-torch.inf)
    of_map = torch.arange(len(maps), device=maps.device)

    def at(x: int, y: int) -> Tensor:
        return padded[of_map, row + 1 + y, column + 1 + x]

    shifts = [_vertex(at(-1, 0), at(0, 0), at(1, 0)), _vertex(at(0, -1), at(0, 0), at(0, 1))]
    return best + torch.stack(shifts, dim=-1)


def _vertex(before: Tensor, centre: Tensor, after: Tensor) -> Tensor:
    shift = (before - after) / (2 * (before - 2 * centre + after))
    return shift.nan_to_num(0.0, 0.0, 0.0).clamp(-0.5, 0.5)


def _within_coarse_neighbours(
    maps: Tensor, fine: FeatureLevel, coarse: FeatureLevel, pixels: Tensor
) -> Tensor:
    """Fine maps with -inf outside of the coarse cell that a pixel lies in and its 8 neighbours.

    What a right coarse match leaves to the fine level; the truth need not be in the middle.
    """
    centres = coarse.cells_to_pixels(coarse.pixels_to_cells(pixels).round())
    reach = 1.5 * coarse.stride
    height, width = maps.shape[-2:]
    columns = fine.cells_to_pixels(torch.arange(width, device=maps.device))
    rows = fine.cells_to_pixels(torch.arange(height, device=maps.device))
    in_columns = (columns - centres[:, :1]).abs() <= reach
    in_rows = (rows - centres[:, 1:]).abs() <= reach
    return maps.masked_fill(~(in_rows[:, :, None] & in_columns[:, None, :]), -torch.inf)
