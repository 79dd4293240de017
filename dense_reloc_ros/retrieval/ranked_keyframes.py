"""Keyframes in the order in which they look like an image."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


@dataclass(frozen=True)
class RankedKeyframes:
    """The keyframes that look most like an image, best first."""

    keyframes: Tensor
    """(N,) indices."""
    evidence: Tensor
    """(N,) how much each looks like it: 1 at most. The mean of its correlations."""
    observations: NDArray[np.int64]
    """(N, K) those of each keyframe that were looked for in the image; -1 where it has fewer."""
    correlations: NDArray[np.float32]
    """(N, K) the highest of each of them with the image."""

    @classmethod
    def none(cls) -> RankedKeyframes:
        """Nothing that an image looks like."""
        numbers, values = np.zeros((0, 0), np.int64), np.zeros((0, 0), np.float32)
        return cls(torch.zeros(0, dtype=torch.int64), torch.zeros(0), numbers, values)

    @property
    def best_evidence(self) -> float:
        """That of the first; 0 where there is none."""
        return float(self.evidence[0]) if len(self.evidence) else 0.0
