"""The reliability diagram, by what is drawn in it."""

from __future__ import annotations

import numpy as np

from dense_reloc_ros.evaluation.reliability import Reliability, ReliabilityBin
from dense_reloc_ros.evaluation.reliability_plot import reliability_figure


def test_each_bin_is_drawn_at_its_confidence_and_counted_in_its_tenth():
    bins = (
        ReliabilityBin(frames=3, confidence=0.04, right=0.0),
        ReliabilityBin(frames=7, confidence=0.36, right=0.5),
        ReliabilityBin(frames=90, confidence=1.0, right=0.9),
    )
    found = Reliability(frames=100, expected_calibration_error=0.123, bins=bins)
    upper, lower = reliability_figure(found).axes
    (drawn,) = (line for line in upper.lines if line.get_label() == "found")
    np.testing.assert_array_equal(drawn.get_xydata(), [[0.04, 0.0], [0.36, 0.5], [1.0, 0.9]])
    assert upper.get_title().endswith("0.123")
    bars = [(bar.get_x(), bar.get_height()) for bar in lower.patches]
    np.testing.assert_allclose(bars, [(0.0, 3), (0.3, 7), (0.9, 90)])
