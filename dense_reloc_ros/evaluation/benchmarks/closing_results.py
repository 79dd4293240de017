"""How far off trajectories are that were closed in several ways, over several seeds."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from pydantic import BaseModel, ConfigDict

from dense_reloc_ros.evaluation.metrics.trajectory_error import TrajectoryError

ODOMETRY = "odometry alone"
CLOSED = "closed"
CLOSED_SWITCHABLE = "closed, switchable"
WITHOUT_WRONG = "without the wrong ones"
PLAIN = "with wrong ones, plain"
SWITCHABLE = "with wrong ones, switchable"
CONSISTENT = "with wrong ones, consistent only"
BOTH = "with wrong ones, consistent and switchable"


class ClosingResult(BaseModel):
    """How far off the trajectory is in one way, with the odometry of one seed."""

    model_config = ConfigDict(frozen=True)

    seed: int
    way: str
    """See the constants of this module."""
    constraints: int
    """In the pose graph."""
    wrong: int
    """Of these: deliberately wrong ones."""
    error: TrajectoryError


class ClosingSummary(BaseModel):
    """One way over all seeds."""

    model_config = ConfigDict(frozen=True)

    laps: int
    """How often the path was walked, forth and back."""
    way: str
    seeds: int
    constraints: float
    """Mean."""
    wrong: float
    """Mean."""
    median: TrajectoryError
    """Of each error by itself."""
    worst_ate_m: float
    times_lower: float
    """Than that of the odometry alone: median over the seeds of the ratio of their ate_m."""
    aligned_times_lower: float
    """The same of aligned_ate_m."""


def summarize_closings(results: Sequence[ClosingResult], laps: int = 1) -> list[ClosingSummary]:
    """A summary for each way, over the results of all seeds."""
    ways = dict.fromkeys(result.way for result in results)
    of = {way: [result for result in results if result.way == way] for way in ways}
    return [_summary(laps, way, of[way], of[ODOMETRY]) for way in ways]


def _summary(
    laps: int, way: str, results: Sequence[ClosingResult], alone: Sequence[ClosingResult]
) -> ClosingSummary:
    errors, before = [r.error for r in results], [r.error for r in alone]
    pairs = list(zip(before, errors, strict=True))
    return ClosingSummary(
        laps=laps,
        way=way,
        seeds=len(results),
        constraints=float(np.mean([r.constraints for r in results])),
        wrong=float(np.mean([r.wrong for r in results])),
        median=TrajectoryError(
            **{
                name: float(np.median([getattr(error, name) for error in errors]))
                for name in TrajectoryError.model_fields
            }
        ),
        worst_ate_m=max(error.ate_m for error in errors),
        times_lower=float(np.median([a.ate_m / b.ate_m for a, b in pairs])),
        aligned_times_lower=float(np.median([a.aligned_ate_m / b.aligned_ate_m for a, b in pairs])),
    )
