"""What the build of a map found out about the recording that it was made of."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict


class MapVerdict(BaseModel):
    """Whether images, poses and depth of a map's source belong together."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    state: Literal["consistent", "doubtful", "inconsistent", "unknown"]
    """Unknown where too few keyframes show the same; inconsistent only by --accept-inconsistent."""
    reason: str
    """For people: what was found and, where it is doubtful, the likeliest cause."""
    pairs: int
    """Pairs of keyframes that show the same by their images alone."""
    agreeing: int
    """Those of them whose poses say so, too."""
    error_degrees: float | None
    """Median over the pairs of how far points are from where poses and depth say; None without any
    pair."""
    depth_factor: float | None = None
    """How many times too large the depth is against the poses; None where nothing tells."""
