"""The error of the transform from the map to the odometry over time, as a plot."""

from __future__ import annotations

import math
from collections.abc import Sequence

from matplotlib.figure import Figure

from dense_reloc_ros.evaluation.metrics.map_to_odom import BOUND, Correction
from dense_reloc_ros.evaluation.report.plots import ESTIMATE, GROUND_TRUTH, WITHIN
from dense_reloc_ros.stamps import NANOSECONDS

MAP_TO_ODOM_CAPTION = (
    "Error of the transform from the map to the odometry, as published after each frame, and what "
    "the drift of the odometry alone would make of its true place at the beginning."
)


def map_to_odom_figure(corrections: Sequence[Correction]) -> Figure:
    """Translation and rotation error of at least one correction, and the bounds for them."""
    begin = corrections[0].stamp
    times = [(correction.stamp - begin) / NANOSECONDS for correction in corrections]
    figure = Figure(figsize=(13, 4.5), layout="constrained")
    left, right = figure.subplots(1, 2)
    for label, colour, errors in (
        ("odometry alone", GROUND_TRUTH, [correction.drift for correction in corrections]),
        ("published", ESTIMATE, [correction.error for correction in corrections]),
    ):
        left.plot(times, [100 * e.translation for e in errors], color=colour, label=label)
        right.plot(times, [math.degrees(e.rotation) for e in errors], color=colour, label=label)
    left.axhline(100 * BOUND.translation_m, color=WITHIN, ls="--", lw=1)
    right.axhline(BOUND.rotation_deg, color=WITHIN, ls="--", lw=1)
    left.set_ylabel("translation error (cm)")
    right.set_ylabel("rotation error (°)")
    for axes in (left, right):
        axes.set_xlabel("time since the first pose (s)")
        axes.set_ylim(bottom=0)
        axes.legend(loc="upper left")
    return figure
