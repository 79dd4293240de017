"""Recordings beside the checkout that some tests look at; those are skipped where it has none."""

from __future__ import annotations

from pathlib import Path

SHARED = Path(__file__).resolve().parents[2] / "shared"
KITCHEN = SHARED / "data/kitchen"
MULTIVIEW = SHARED / "data/multiview"
FOX = MULTIVIEW / "fox"
CYPRUS = MULTIVIEW / "cyprus_arch"
