"""The reliability diagram: how often poses of a confidence are right."""

from __future__ import annotations

from matplotlib.figure import Figure

from dense_reloc_ros.evaluation.plots import ESTIMATE, GROUND_TRUTH
from dense_reloc_ros.evaluation.reliability import BINS, Reliability


def reliability_figure(found: Reliability) -> Figure:
    """Share of right poses over the confidence, above how many poses there are in each bin."""
    figure = Figure(figsize=(6.5, 7), layout="constrained")
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
    confidences = [one.confidence for one in found.bins]
    upper.plot([0, 1], [0, 1], color=GROUND_TRUTH, lw=1, ls="--", label="as it should be")
    shares = [one.right for one in found.bins]
    upper.vlines(confidences, confidences, shares, color=ESTIMATE, lw=1, alpha=0.5)
    upper.plot(confidences, shares, "o-", color=ESTIMATE, ms=6, label="found")
    upper.set(xlim=(0, 1), ylim=(-0.02, 1.02), ylabel="share within 5 cm and 5°")
    upper.set_title(f"expected calibration error {found.expected_calibration_error:.3f}")
    upper.legend(loc="upper left")
    left_edges = [min(int(value * BINS), BINS - 1) / BINS for value in confidences]
    counts = [one.frames for one in found.bins]
    bars = lower.bar(left_edges, counts, 0.9 / BINS, align="edge", color=ESTIMATE)
    lower.bar_label(bars, fontsize=8)
    lower.margins(y=0.2)
    lower.set(xlabel="confidence", ylabel="frames")
    for axes in (upper, lower):
        axes.grid(alpha=0.3)
    return figure
