"""A trajectory before and after its loops were closed, as a plot."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dense_reloc_ros.evaluation.benchmarks.closing_results import (
    CLOSED,
    CONSISTENT,
    ODOMETRY,
    PLAIN,
    SWITCHABLE,
)
from dense_reloc_ros.evaluation.benchmarks.loop_closing import (
    ClosedPath,
)
from dense_reloc_ros.evaluation.report.plots import (
    ESTIMATE,
    GROUND_TRUTH,
    REJECTED,
    WITHIN,
    WRONG_COLOUR,
    vertical_axis,
)
from dense_reloc_ros.stamps import NANOSECONDS

LOOP_CLOSING_CAPTION = (
    "The path from above and the distance to the true one: by odometry that drifts, closed by the "
    "constraints of localized frames, and closed with some deliberately wrong constraints in the "
    "pose graph."
)
COLOURS = {
    ODOMETRY: REJECTED,
    CLOSED: ESTIMATE,
    PLAIN: WRONG_COLOUR,
    SWITCHABLE: "#CC79A7",
    CONSISTENT: WITHIN,
}
"""Of the ways that are drawn."""


def loop_closing_figure(path: ClosedPath) -> Figure:
    """The path from above, and the errors over time."""
    figure = Figure(figsize=(13, 6), layout="constrained")
    above, over_time = figure.subplots(1, 2)
    _draw_from_above(above, path)
    seconds = (path.truth.stamps - path.truth.stamps[0]) / NANOSECONDS
    for way, colour in COLOURS.items():
        errors = np.linalg.norm((path.trajectories[way].poses - path.truth.poses)[:, :3, 3], axis=1)
        over_time.plot(seconds, 100 * np.maximum(errors, 1e-5), color=colour, label=way)
    over_time.set(xlabel="time (s)", ylabel="distance to the true path (cm)", yscale="log")
    over_time.grid(alpha=0.3)
    over_time.legend()
    return figure


def _draw_from_above(axes: Axes, path: ClosedPath) -> None:
    vertical, up = vertical_axis(path.truth.poses)
    across, along = (vertical + 1) % 3, (vertical + 2) % 3
    plane = [across, along] if up > 0 else [along, across]
    axes.plot(*path.truth.poses[:, plane, 3].T, color=GROUND_TRUTH, lw=3, alpha=0.5, label="truth")
    for way, colour in COLOURS.items():
        axes.plot(*path.trajectories[way].poses[:, plane, 3].T, color=colour, lw=1.2, label=way)
    limits = axes.get_xlim(), axes.get_ylim()
    wrong = np.array([path.constraints[index].T_map_body for index in sorted(path.wrong)])
    if len(wrong):
        axes.plot(*wrong[:, plane, 3].T, "x", color=WRONG_COLOUR, label="wrong constraint")
    axes.set(xlim=limits[0], ylim=limits[1])
    axes.set_aspect("equal")
    axes.set(xlabel=f"{'xyz'[plane[0]]} (m)", ylabel=f"{'xyz'[plane[1]]} (m)", title="from above")
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8)
