"""NetVLAD: VLAD whose clusters are learned (Arandjelovic et al., CVPR 2016; thesis 3.4.2)."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from dense_reloc_ros.features.precision import at_least_single
from dense_reloc_ros.features.vlad import train_vocabulary

ASSIGNMENT_RATIO = 100.0
"""How much more of a descriptor its nearest cluster takes at first than the one after it."""


class NetVlad(nn.Module):
    """The residuals of local descriptors to K clusters, which each descriptor is softly part of."""

    def __init__(self, channels: int, clusters: int = 64) -> None:
        super().__init__()
        self.assignment = nn.Conv2d(channels, clusters, 1)
        self.centres = nn.Parameter(normalize(torch.randn(clusters, channels), dim=1))

    def forward(self, maps: Tensor) -> Tensor:
        """Descriptors (B, K * C), intra-normalized and L2-normalized, of maps (B, C, h, w)."""
        local = normalize(at_least_single(maps), dim=1)
        shares = at_least_single(self.assignment(local)).softmax(1).flatten(2)
        residuals = shares @ local.flatten(2).mT - shares.sum(2)[..., None] * self.centres
        return normalize(normalize(residuals, dim=2).flatten(1), dim=1)

    @torch.no_grad()
    def fit(self, descriptors: Tensor, seed: int = 0) -> None:
        """Puts the clusters where k-means finds them in L2-normalized descriptors (N, C).

        Assignment begins as the softmax of -α |x - c|², whose |x|² is common to all clusters, with
        the α at which the nearest cluster takes `ASSIGNMENT_RATIO` times the next one's share.
        """
        clusters = len(self.centres)
        centres = train_vocabulary(descriptors, clusters, seed)
        if len(centres) < clusters:
            raise ValueError(f"{len(descriptors)} descriptors are too few for {clusters} clusters")
        nearest = torch.cdist(descriptors, centres).square().topk(2, largest=False).values
        gap = (nearest[:, 1] - nearest[:, 0]).mean().clamp(min=1e-6)
        sharpness = math.log(ASSIGNMENT_RATIO) / gap
        self.centres.copy_(centres)
        self.assignment.load_state_dict(
            {
                "weight": 2 * sharpness * centres[..., None, None],
                "bias": -sharpness * centres.square().sum(1),
            }
        )


class NetVladHead(nn.Module):
    """NetVLAD, and a linear layer that holds the PCA of its descriptors (thesis 3.6.1)."""

    def __init__(self, channels: int, clusters: int = 64, dimensions: int = 1024) -> None:
        super().__init__()
        self.netvlad = NetVlad(channels, clusters)
        self.pca = nn.Linear(clusters * channels, dimensions)

    def forward(self, maps: Tensor) -> Tensor:
        """Global descriptors (B, D), L2-normalized, of maps (B, C, h, w)."""
        return normalize(at_least_single(self.pca(self.netvlad(maps))), dim=1)


@torch.no_grad()
def fit_pca(layer: nn.Linear, descriptors: Tensor) -> None:
    """Makes a linear layer the PCA of descriptors (N, D), without whitening.

    Where the descriptors span fewer dimensions than the layer gives, the last ones are zero.
    """
    mean = descriptors.mean(0)
    _, variances, directions = torch.linalg.svd(descriptors - mean, full_matrices=False)
    spanned = variances > 1e-6 * variances[0]
    directions = directions[spanned][: layer.out_features]
    layer.weight.zero_()
    layer.weight[: len(directions)] = directions
    layer.bias.copy_(-layer.weight @ mean)
