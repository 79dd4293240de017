"""Which matches to keep: ratio test, probability threshold, cyclic check; and the matches.

The filters are those of sparse-to-dense matching in the thesis (chapter 3), for the methods that
follow it; the default method keeps all matches and leaves the choice to its robust pose.
"""

from __future__ import annotations

import torch
from torch import Tensor

from dense_reloc_ros.features.extractor import FeatureLevel
from dense_reloc_ros.matching.correlation import correlate


def best_cells(maps: Tensor) -> Tensor:
    """Column and row (M, 2) of the highest cell of each map (M, h, w)."""
    width = maps.shape[-1]
    index = maps.flatten(1).argmax(1)
    return torch.stack([index % width, index // width], dim=-1).to(maps)


def best_matches(maps: Tensor, level: FeatureLevel) -> Tensor:
    """The pixel (M, 2) of the highest cell of each map (M, h, w) (thesis eq. 3.4)."""
    return level.cells_to_pixels(best_cells(maps))


def ratio_test(correlation: Tensor, fraction: float, ratio: float) -> Tensor:
    """Which maps (M, h, w) stand out: (M,) bool (thesis eq. 3.1).

    The highest correlation must exceed `ratio` times the one at rank `fraction` * h * w. As
    correlations of centred features can be zero or negative there, both sides are multiplied out.
    """
    flat = correlation.flatten(1)
    rank = min(int(fraction * flat.shape[1]), flat.shape[1] - 1)
    reference = flat.kthvalue(flat.shape[1] - rank, dim=1).values
    return flat.amax(1) > ratio * reference


def probability_test(correspondence_maps: Tensor, threshold: float) -> Tensor:
    """Which maps (M, h, w) have a cell more likely than `threshold`: (M,) bool (thesis eq. 3.5)."""
    return correspondence_maps.flatten(1).amax(1) > threshold


def cyclic_check(
    source_pixels: Tensor,
    source_level: FeatureLevel,
    query_pixels: Tensor,
    query_level: FeatureLevel,
    tolerance: float,
) -> Tensor:
    """Which matches lead back to where they came from: (M,) bool (thesis eqs. A.1-A.3).

    Args:
        source_pixels: keypoints in the reference image, (M, 2).
        source_level: dense features of the reference image.
        query_pixels: their matches in the query, (M, 2).
        query_level: dense features of the query.
        tolerance: largest cyclic distance in pixels; at least a cell's half diagonal makes sense.
    """
    back = best_matches(correlate(query_level.sample(query_pixels), source_level), source_level)
    return (back - source_pixels.to(back)).norm(dim=-1) < tolerance
