"""Attention whose sharpness depends on how well the best key fits (thesis C.3.1)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import max_pool2d


class GatedAttention(nn.Module):
    """softmax(g Q Kᵀ / √c) V with g = σ(max Q Kᵀ / √c) for each query, in several heads.

    The thesis leaves open over what the maximum is taken: over the keys of a query, here. The
    division by the root of a head's channels is that of Vaswani et al.
    """

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(channels, channels, bias=False)
        self.key = nn.Linear(channels, channels, bias=False)
        self.value = nn.Linear(channels, channels, bias=False)

    def forward(self, x: Tensor, context: Tensor) -> Tensor:
        """Messages (B, N, C) to x (B, N, C) from a context (B, M, C)."""
        query, key, value = (
            linear(one).unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for linear, one in ((self.query, x), (self.key, context), (self.value, context))
        )
        query = query / query.shape[-1] ** 0.5
        # The gate belongs to the query: it multiplies that instead of all its scores.
        gate = (best_key(query, key) * query).sum(-1, keepdim=True).sigmoid()
        message: Tensor = torch.softmax((gate * query) @ key.mT, dim=-1) @ value
        return message.transpose(1, 2).reshape(x.shape)


class AttentionLayer(nn.Module):
    """Attention, then an MLP that joins each feature and its message; their sum with the feature.

    The thesis does not say what surrounds the attention. This is the layer of Sun et al. (LoFTR),
    with 1.5 million parameters for 384 channels; table C.1 has 7.2 million for five of them.
    """

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        self.attention = GatedAttention(channels, heads)
        self.merge = nn.Linear(channels, channels, bias=False)
        self.norm_message = nn.LayerNorm(channels)
        self.mlp = nn.Sequential(
            nn.Linear(2 * channels, 2 * channels, bias=False),
            nn.ReLU(),
            nn.Linear(2 * channels, channels, bias=False),
        )
        self.norm = nn.LayerNorm(channels)

    def forward(self, x: Tensor, context: Tensor) -> Tensor:
        """Features (B, N, C) after a look at a context (B, M, C)."""
        message = self.norm_message(self.merge(self.attention(x, context)))
        update: Tensor = self.norm(self.mlp(torch.cat([x, message], dim=-1)))
        return x + update


def best_key(query: Tensor, key: Tensor) -> Tensor:
    """The key (..., N, c), of those (..., M, c), that each query (..., N, c) fits best."""
    with torch.no_grad():
        best = (query @ key.mT).max(-1, keepdim=True).indices
    return key.gather(-2, best.expand(*best.shape[:-1], key.shape[-1]))


def max_pooled(grid: Tensor) -> Tensor:
    """A grid (B, h, w, C) at half its resolution as a context (B, M, C); C.3.1.

    The thesis pools the keys and values that are made of it. Pooled before, these cost a fourth.
    """
    pooled = max_pool2d(grid.permute(0, 3, 1, 2), 2, ceil_mode=True)
    return pooled.flatten(2).mT
