"""Average precision that can be learned: by soft bins of the score (Revaud et al., 2019)."""

from __future__ import annotations

import torch
from torch import Tensor


def average_precision(scores: Tensor, correct: Tensor, bins: int) -> Tensor:
    """The quantized average precision () of scores (P,) in [0, 1] that should rank `correct` first.

    A score belongs to the two bins between whose centres it lies, as the linear interpolation says;
    bins are ranked, the highest first. Some entry of `correct` (P,) is true.
    """
    centres = torch.linspace(1, 0, bins, dtype=scores.dtype, device=scores.device)
    membership = (1 - (scores - centres[:, None]).abs() * (bins - 1)).clamp(min=0)
    in_bin = membership.sum(1)
    correct_in_bin = membership @ correct.to(scores.dtype)
    # An empty first bin has no precision, and no recall to weigh it with.
    precision = correct_in_bin.cumsum(0) / in_bin.cumsum(0).clamp(min=1e-12)
    return (precision * correct_in_bin).sum() / correct_in_bin.sum()
