"""The plots of DSM's Figs. 5 and 7: how exact scene coordinates are, and what they are made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from dense_reloc_ros.evaluation.metrics.scene_coordinates import (
    CoordinateErrors,
    mean_candidate_errors,
)

LARGEST = 0.5
"""Metres, of the errors drawn."""
STEPS = 200
# Okabe and Ito's palette, which colour-blind people can tell apart.
COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7")
COORDINATE_CAPTION = (
    "Left: the share of all cells of the images whose predicted point is no further than a "
    "distance from what the depth image says. Right: the mean distance of the scene points that "
    "the coordinates are predicted from, those with the most similar features first."
)


def coordinate_figure(errors: Mapping[str, Sequence[CoordinateErrors]]) -> Figure:
    """Curves of the errors of images by name, at least one image each."""
    figure = Figure(figsize=(13, 4.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    limits = np.linspace(0.0, LARGEST, STEPS)
    for (name, images), colour in zip(errors.items(), COLOURS, strict=False):
        points = np.sort(np.concatenate([image.points for image in images]))
        shares = np.searchsorted(points, limits, side="right") / max(len(points), 1)
        left.plot(100 * limits, 100 * shares, color=colour, label=name)
        means = mean_candidate_errors(images)
        right.plot(1 + np.arange(len(means)), 100 * means, "o-", color=colour, label=name)
    left.set(
        xlabel="scene coordinate error (cm)",
        ylabel="share of the cells (%)",
        xlim=(0, 100 * LARGEST),
        ylim=(0, 100),
    )
    right.set(xlabel="rank k of the scene point", ylabel="mean error e_k (cm)")
    right.set_ylim(bottom=0)
    for axes in (left, right):
        axes.grid(alpha=0.3)
        axes.legend()
    return figure
