"""Confidence-based Point Aggregation (CPA): one point for each place of the query (DeViLoc).

Every reference lifts the same place of a query to a point of its own. The supplement (1.3) joins
those in one cell of the query by a mean weighted by confidences, `confidence_weighted`. A point is
however sure across the ray of its reference, by the match, and unsure along it, by the depth:
`along_rays` weights both, so that references with different views of a place triangulate it, and
what the network says about the depth only counts where they do not. Both can be differentiated.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from dense_reloc_ros.deviloc.point_inference import NEAR

ITERATIONS = 4
"""Of reweighting."""
TOLERANCE = 3.0
"""Squared Mahalanobis distance at which the weight of a point is a half (Cauchy)."""


@dataclass(frozen=True)
class LiftedPoints:
    """N places of a query, each with the point that a reference says it shows."""

    pixels: Tensor
    """(N, 2) of the query."""
    points: Tensor
    """(N, 3) in the map frame, metres."""
    centres: Tensor
    """(N, 3): where the camera of the reference is."""
    angles: Tensor
    """(N,): deviation of the point across the ray, in radians: of the match."""
    deviations: Tensor
    """(N,): deviation along the ray, as a share of the distance: of the depth."""
    confidences: Tensor
    """(N,): the probability that the depth is right."""

    @staticmethod
    def joined(parts: list[LiftedPoints]) -> LiftedPoints:
        """The points of several references."""
        names = LiftedPoints.__dataclass_fields__
        return LiftedPoints(*(torch.cat([getattr(part, name) for part in parts]) for name in names))


@dataclass(frozen=True)
class AggregatedPoints:
    """G places of a query with one point each."""

    pixels: Tensor
    """(G, 2): the mean of those joined, which is more exact than the cell's middle."""
    points: Tensor
    """(G, 3)."""
    confidences: Tensor
    """(G,)."""

    def confident(self, least: float) -> AggregatedPoints:
        """Those whose confidence is at least so much (τ)."""
        kept = self.confidences >= least
        return AggregatedPoints(self.pixels[kept], self.points[kept], self.confidences[kept])


def query_cells(pixels: Tensor, size: float) -> tuple[Tensor, int]:
    """The cell (N,), from 0 up, that each pixel (N, 2) is rounded into (Q_s), and how many are."""
    cells, index = torch.unique((pixels / size).round(), dim=0, return_inverse=True)
    return index, len(cells)


def confidence_weighted(lifted: LiftedPoints, size: float) -> AggregatedPoints:
    """The means of the points in each cell of `size` pixels, weighted by confidence (eqs. 12, 13).

    The confidence of a mean is the mean confidence.
    """
    index, count = query_cells(lifted.pixels, size)
    weights = lifted.confidences[:, None]
    mean_weight = _means(weights, index, count)
    points = _means(weights * lifted.points, index, count) / mean_weight.clamp(min=1e-9)
    return AggregatedPoints(_means(lifted.pixels, index, count), points, mean_weight[:, 0])


def along_rays(lifted: LiftedPoints, size: float) -> AggregatedPoints:
    """The likeliest point of each cell, given how sure each reference is across and along its ray.

    Points that contradict the others weigh little: it begins with the point that most others agree
    with, and reweights after Cauchy. The confidence is the probability that the point is within
    `NEAR` of its distance from the references, in its most uncertain direction.
    """
    index, count = query_cells(lifted.pixels, size)
    rows = _Rows.of(index, count)
    covariances = _covariances(lifted)
    points = rows.filled(lifted.points, 0.0)
    own = rows.filled(covariances, 0.0)
    own[~rows.exists] = torch.eye(3, dtype=own.dtype, device=own.device)
    information = torch.linalg.inv(own)
    weights = _support_of_best(points, own, rows.exists)
    for _ in range(ITERATIONS):
        joined, total = _weighted(points, information, weights)
        gaps = points - joined[:, None]
        squared = (gaps[..., None, :] @ information @ gaps[..., None])[..., 0, 0]
        weights = rows.exists / (1 + squared / TOLERANCE)
    joined, total = _weighted(points, information, weights)
    distances = (lifted.points - lifted.centres).norm(dim=-1)
    far = _means(distances[:, None], index, count)[:, 0]
    variances = torch.linalg.eigvalsh(torch.linalg.inv(total))[:, -1]
    confidences = confidence_of(variances.clamp(min=0).sqrt() / far)
    return AggregatedPoints(_means(lifted.pixels, index, count), joined, confidences)


def confidence_of(deviations: Tensor) -> Tensor:
    """The probability that an error is below `NEAR` by its standard deviation (Laplace)."""
    return 1 - torch.exp(-NEAR * math.sqrt(2) / deviations.clamp(min=1e-9))


@dataclass(frozen=True)
class _Rows:
    """Where each of N values lies in a table with a row for each of G cells, K wide at most."""

    index: Tensor
    """(N,): the row."""
    place: Tensor
    """(N,): the column."""
    exists: Tensor
    """(G, K) bool."""

    @staticmethod
    def of(index: Tensor, count: int) -> _Rows:
        counts = torch.bincount(index, minlength=count)
        order = index.argsort(stable=True)
        place = torch.empty_like(index)
        place[order] = torch.arange(len(index), device=index.device) - (
            counts.cumsum(0) - counts
        ).index_select(0, index[order])
        columns = torch.arange(int(counts.max()), device=index.device)
        return _Rows(index, place, columns < counts[:, None])

    def filled(self, values: Tensor, empty: float) -> Tensor:
        """The values (N, ...) in the table (G, K, ...)."""
        table = values.new_full((*self.exists.shape, *values.shape[1:]), empty)
        filled: Tensor = table.index_put((self.index, self.place), values)
        return filled


def _covariances(lifted: LiftedPoints) -> Tensor:
    """(N, 3, 3) of the points."""
    rays = lifted.points - lifted.centres
    distances = rays.norm(dim=-1)
    rays = rays / distances[:, None]
    along = rays[:, :, None] * rays[:, None]
    across = torch.eye(3, dtype=rays.dtype, device=rays.device) - along
    sideways = (lifted.angles * distances).square()[:, None, None]
    lengthways = (lifted.deviations * distances).square()[:, None, None]
    covariances: Tensor = across * sideways + along * lengthways
    return covariances


def _support_of_best(points: Tensor, covariances: Tensor, exists: Tensor) -> Tensor:
    """How much each point (G, K) agrees with the one in its cell that most others agree with."""
    gaps = points[:, :, None] - points[:, None]
    both = covariances[:, :, None] + covariances[:, None]
    squared = (gaps * torch.linalg.solve(both, gaps[..., None])[..., 0]).sum(-1)
    agreement = torch.exp(-squared / (2 * TOLERANCE)) * exists[:, None] * exists[:, :, None]
    best = agreement.sum(-1).argmax(1)
    return agreement[torch.arange(len(best), device=best.device), best]


def _weighted(points: Tensor, information: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
    """The likeliest points (G, 3) and the sums (G, 3, 3) of what is known of them."""
    weighted = information * weights[..., None, None]
    total = weighted.sum(1)
    pull = (weighted @ points[..., None]).sum(1)
    return torch.linalg.solve(total, pull)[..., 0], total


def _means(values: Tensor, index: Tensor, count: int) -> Tensor:
    """The means (count, C) of the values (N, C) of each cell."""
    sums = values.new_zeros(count, values.shape[1]).index_add(0, index, values)
    means: Tensor = sums / torch.bincount(index, minlength=count)[:, None]
    return means
