"""The transformer block of the Point Inference Network (DeViLoc, supplement 1.1)."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention


class AttentionBlock(nn.Module):
    """A standard transformer block: attention, then a network for each token, both added.

    There is no positional encoding: what a token is, its embedding says. With itself as `other`
    it is self-attention.
    """

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        self._heads = heads
        self.norm, self.other_norm = nn.LayerNorm(channels), nn.LayerNorm(channels)
        self.query = nn.Linear(channels, channels)
        self.key_value = nn.Linear(channels, 2 * channels)
        self.joined = nn.Linear(channels, channels)
        self.mixer = nn.Sequential(
            nn.LayerNorm(channels),
            nn.Linear(channels, 2 * channels),
            nn.GELU(),
            nn.Linear(2 * channels, channels),
        )

    def forward(self, tokens: Tensor, other: Tensor, exists: Tensor | None = None) -> Tensor:
        """Tokens (B, N, C) after a look at others (B, M, C), those of which (B, M) that exist."""
        query = self._split(self.query(self.norm(tokens)))
        key, value = self.key_value(self.other_norm(other)).chunk(2, dim=-1)
        mask = None if exists is None else exists[:, None, None]
        found = scaled_dot_product_attention(query, self._split(key), self._split(value), mask)
        tokens = tokens + self.joined(found.transpose(1, 2).flatten(2))
        mixed: Tensor = tokens + self.mixer(tokens)
        return mixed

    def _split(self, tokens: Tensor) -> Tensor:
        """(B, heads, N, C / heads) of (B, N, C)."""
        batch, count, channels = tokens.shape
        return tokens.reshape(batch, count, self._heads, channels // self._heads).transpose(1, 2)
