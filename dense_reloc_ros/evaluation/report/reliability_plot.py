"""The reliability diagram: how often poses of a confidence are right."""

from __future__ import annotations

from matplotlib.figure import Figure
from scipy.stats import binomtest

from dense_reloc_ros.evaluation.metrics.reliability import BINS, Reliability, ReliabilityBin
from dense_reloc_ros.evaluation.report.plots import ESTIMATE, GROUND_TRUTH


def reliability_figure(found: Reliability) -> Figure:
    """Share of right poses over the confidence, and how many poses each bin holds."""
    figure = Figure(figsize=(13, 5.5), layout="constrained")
    shares, counts = figure.subplots(1, 2)
    shares.plot([0, 1], [0, 1], color=GROUND_TRUTH, lw=1, ls="--", label="as it should be")
    for one in found.bins:
        shares.vlines(one.confidence, *_interval(one), color=ESTIMATE, lw=1.5, alpha=0.6)
    confidences = [one.confidence for one in found.bins]
    right = [one.right for one in found.bins]
    shares.plot(confidences, right, "o", color=ESTIMATE, ms=7, label="found, with 95% interval")
    shares.set(ylim=(-0.02, 1.02), ylabel="share of frames within 0.25 m and 10°")
    shares.set_title(f"expected calibration error {found.expected_calibration_error:.3f}")
    shares.legend(loc="upper left")
    edges = [min(int(confidence * BINS), BINS - 1) / BINS for confidence in confidences]
    frames = [one.frames for one in found.bins]
    bars = counts.bar(edges, frames, 0.95 / BINS, align="edge", color=ESTIMATE)
    counts.bar_label(bars)
    counts.set(ylabel="frames", title=f"{found.frames} frames")
    for axes in (shares, counts):
        axes.set(xlim=(0, 1.02), xlabel="confidence")
        axes.grid(alpha=0.3)
    return figure


def _interval(one: ReliabilityBin) -> tuple[float, float]:
    """Which shares are likely (Wilson), by as many frames as the bin holds."""
    likely = binomtest(round(one.right * one.frames), one.frames).proportion_ci(method="wilson")
    return likely.low, likely.high
