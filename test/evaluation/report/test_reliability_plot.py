"""The reliability diagram, by what is drawn in it."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

from dense_reloc_ros.evaluation.metrics.reliability import Reliability, ReliabilityBin
from dense_reloc_ros.evaluation.report.reliability_plot import reliability_figure


def test_each_bin_is_drawn_at_its_confidence_and_counted_in_its_tenth():
    bins = (
        ReliabilityBin(frames=3, confidence=0.04, right=0.0),
        ReliabilityBin(frames=7, confidence=0.36, right=0.5),
        ReliabilityBin(frames=90, confidence=1.0, right=0.9),
    )
    found = Reliability(frames=100, expected_calibration_error=0.123, bins=bins)
    shares, counts = reliability_figure(found).axes
    (drawn,) = (line for line in shares.lines if line.get_label().startswith("found"))
    np.testing.assert_array_equal(drawn.get_xydata(), [[0.04, 0.0], [0.36, 0.5], [1.0, 0.9]])
    assert shares.get_title().endswith("0.123")
    bars = [(bar.get_x(), bar.get_height()) for bar in counts.patches]
    np.testing.assert_allclose(bars, [(0.0, 3), (0.3, 7), (0.9, 90)])


def test_many_frames_leave_less_doubt_than_few():
    """Wilson's interval in closed form."""
    bins = tuple(
        ReliabilityBin(frames=n, confidence=c, right=0.5) for n, c in ((4, 0.35), (100, 0.65))
    )
    found = Reliability(frames=104, expected_calibration_error=0.15, bins=bins)
    lines = reliability_figure(found).axes[0].collections
    for line, one in zip(lines, bins, strict=True):
        (low, high) = line.get_segments()[0][:, 1]
        z = norm.ppf(0.975)
        half = z / (1 + z**2 / one.frames) * np.sqrt(0.25 / one.frames + (z / one.frames) ** 2 / 4)
        assert (low, high) == pytest.approx((0.5 - half, 0.5 + half))
