"""How far a training run is, and why it ends."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from dense_reloc_ros.training.curve import CurvePoint


class Ending(Enum):
    """Why a run ended."""

    STEPS = "all steps done"
    TIME = "time is up"
    NO_IMPROVEMENT = "no better validation for long"
    INTERRUPTED = "interrupted"


@dataclass
class Progress:
    """Changes with every step; part of checkpoints."""

    step: int = 0
    """Updates of the weights so far."""
    seconds: float = 0.0
    """Of all parts of the run together."""
    curve: list[CurvePoint] = field(default_factory=list)

    @classmethod
    def of_state(cls, state: Mapping[str, Any]) -> Progress:
        """Of the plain values that `asdict` gives."""
        curve = [CurvePoint(**point) for point in state["curve"]]
        return cls(state["step"], state["seconds"], curve)
