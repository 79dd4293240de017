"""The names of DSM's variants; apart from the networks, which take long to import."""

from __future__ import annotations

from typing import Literal, get_args

Variant = Literal["dsm", "dsm_compact"]
VARIANTS: tuple[str, ...] = get_args(Variant)
