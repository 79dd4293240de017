"""Where the descriptors of points fit in the target image, before anything is learned of it."""

from __future__ import annotations

import math

import torch
from torch import Tensor

TEMPERATURES = (20.0, 40.0)
"""What cosines are multiplied by: vague and sharp."""
NOWHERE = 0.5
"""Cosine below which a point is rather nowhere in the image."""


@torch.no_grad()
def mutual_matches(points: Tensor, source: Tensor, target: Tensor) -> Tensor:
    """Probabilities (B, T, N, M) of points (B, N, C) to be in the cells of a target.

    Descriptors of the source's cells are (B, L, C), of the target's (B, M, C), all of length one.
    For a temperature t that of point i and cell j is proportional to
    exp(2 t c_ij - ln sum_k exp(t c_kj)), c their cosine and k all cells of the source: a dual
    softmax (Sun et al. 2021). One more cell, of the cosine `NOWHERE`, takes what fits nowhere.
    """
    cosines = points @ target.mT
    of_cells = source @ target.mT
    found = []
    for t in TEMPERATURES:
        rivals = (t * of_cells).logsumexp(1, keepdim=True)
        scores = 2 * t * cosines - rivals
        nowhere = scores.new_full((*scores.shape[:2], 1), t * NOWHERE)
        found.append(torch.cat([scores, nowhere], dim=-1).softmax(-1)[..., :-1])
    return torch.stack(found, dim=1)


def log_gain(probabilities: Tensor, floor: float = 1e-3) -> Tensor:
    """ln(p / floor) of probabilities, 0 where there is none."""
    return (probabilities + floor).log() - math.log(floor)
