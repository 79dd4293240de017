"""VLAD: how an image's dense features deviate from a vocabulary of typical ones.

After Arandjelovic and Zisserman, All about VLAD (CVPR 2013), on dense features as in DenseVLAD,
which the thesis uses for retrieval (A.2.1.3).
"""

from __future__ import annotations

import numpy as np
import torch
from scipy.cluster.vq import kmeans2
from torch import Tensor
from torch.nn.functional import normalize, one_hot


def train_vocabulary(descriptors: Tensor, words: int, seed: int = 0) -> Tensor:
    """Cluster centres (W, C) of descriptors (N, C) by k-means; W is at most `words` and N."""
    samples = descriptors.double().cpu().numpy()
    count = min(words, len(samples))
    rng = np.random.default_rng(seed)
    centres, _ = kmeans2(samples, count, iter=10, minit="++", rng=rng, missing="warn")
    return torch.from_numpy(centres).to(descriptors)


def vlad(descriptors: Tensor, vocabulary: Tensor) -> Tensor:
    """The intra-normalized, L2-normalized VLAD (W * C,) of descriptors (N, C)."""
    nearest = torch.cdist(descriptors, vocabulary).argmin(1)
    assignment = one_hot(nearest, len(vocabulary)).to(descriptors)
    residuals = assignment.T @ descriptors - assignment.sum(0)[:, None] * vocabulary
    return normalize(normalize(residuals, dim=1).flatten(), dim=0)
