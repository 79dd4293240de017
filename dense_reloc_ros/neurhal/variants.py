"""The names of NeurHal's variants; apart from the networks, which take long to import."""

from __future__ import annotations

from typing import Literal, get_args

NeurHalVariant = Literal["neurhal", "neurhal_compact"]
NEURHAL_VARIANTS: tuple[str, ...] = get_args(NeurHalVariant)
