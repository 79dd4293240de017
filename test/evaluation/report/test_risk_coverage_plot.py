from __future__ import annotations

import pytest

from dense_reloc_ros.evaluation.report.risk_coverage_plot import risk_coverage_figure


def test_curves_are_drawn_to_the_share_of_frames_with_a_pose(make_record):
    errors = [0.01, 0.5, 0.1, 0.4]
    records = [make_record(k, metres, score=0.9 - 0.1 * k) for k, metres in enumerate(errors)]
    records.append(make_record(4, localized=False))
    (axes,) = risk_coverage_figure(records).axes
    curve, published = axes.get_lines()
    assert curve.get_xdata().tolist() == pytest.approx([0.2, 0.4, 0.6, 0.8])
    assert curve.get_ydata().tolist() == pytest.approx([0, 1 / 2, 1 / 3, 1 / 2])
    assert curve.get_label() == "score, AUROC 0.750"
    assert published.get_xdata()[0] == pytest.approx(0.8)


def test_without_any_pose_there_is_no_figure(make_record):
    assert risk_coverage_figure([make_record(0, localized=False)]) is None
    assert risk_coverage_figure([make_record(0, 0.1, ground_truth=False, score=0.5)]) is None
