"""How far a training run is: its steps, its validation curve, and why it ends."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from dense_reloc_ros.errors import ConfigurationError

HIGHER_IS_BETTER = frozenset(
    {"coarse_1_cell", "coarse_2_cells", "place_recall", "coordinates_10cm", "pose_5cm_5deg"}
)
"""Metrics of the validations that are shares; all others are losses or errors."""


class Ending(Enum):
    """Why a run ended."""

    STEPS = "all steps done"
    TIME = "time is up"
    NO_IMPROVEMENT = "no better validation for long"
    INTERRUPTED = "interrupted"


@dataclass(frozen=True)
class CurvePoint:
    """One validation."""

    step: int
    minutes: float
    metrics: Mapping[str, float]


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


def best_point(curve: Sequence[CurvePoint], metric: str | None) -> CurvePoint | None:
    """The first of the best points, the last one without a metric; None of an empty curve.

    NaN is never better.

    Raises:
        ConfigurationError: there is no such metric; lists those that are.
    """
    if metric is None:
        return curve[-1] if curve else None
    best: CurvePoint | None = None
    for point in curve:
        if metric not in point.metrics:
            known = ", ".join(point.metrics)
            raise ConfigurationError(f"no validation metric '{metric}' (there are: {known})")
        if best is None or _is_better(point.metrics[metric], best.metrics[metric], metric):
            best = point
    return best


def validations_since_best(curve: Sequence[CurvePoint], metric: str | None) -> int:
    """How many points came after the best one."""
    best = best_point(curve, metric)
    return 0 if best is None else len(curve) - 1 - list(curve).index(best)


def curve_as_csv(curve: Sequence[CurvePoint]) -> str:
    """A table with a row for each validation."""
    text = io.StringIO()
    names = list(curve[-1].metrics) if curve else []
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["step", "minutes", *names])
    for point in curve:
        values = [f"{point.metrics.get(name, float('nan')):.6g}" for name in names]
        writer.writerow([point.step, f"{point.minutes:.2f}", *values])
    return text.getvalue()


def _is_better(value: float, than: float, metric: str) -> bool:
    if than != than:
        return value == value
    return value > than if metric in HIGHER_IS_BETTER else value < than
