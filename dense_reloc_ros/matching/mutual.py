"""Sparse-to-sparse matching: descriptors of two images against each other."""

from __future__ import annotations

import torch
from torch import Tensor


def mutual_matches(query: Tensor, reference: Tensor, ratio: float) -> Tensor:
    """Pairs of descriptors (N, C) and (M, C) that prefer each other clearly: (K, 2) indices.

    Both are L2-normalized. The distance of a pair is below `ratio` times that of the query's
    second choice (Lowe, IJCV 2004, section 7.1); with a single reference there is no second.
    """
    if not len(query) or not len(reference):
        return torch.empty(0, 2, dtype=torch.int64, device=query.device)
    similarity = query @ reference.T
    values, nearest = similarity.topk(min(2, len(reference)), dim=1)
    best, chosen = values[:, 0], nearest[:, 0]
    keep = best == similarity.amax(0)[chosen]
    if len(reference) > 1:
        distances = (2 - 2 * values).clamp(min=0).sqrt()
        keep &= distances[:, 0] < ratio * distances[:, 1]
    return torch.stack([torch.arange(len(query), device=query.device), chosen], dim=1)[keep]
