"""Curves and areas of poses that are written down here."""

from __future__ import annotations

from operator import attrgetter

import pytest

from dense_reloc_ros.evaluation.metrics.risk_coverage import auroc, risk_coverage

SCORE = attrgetter("score")


@pytest.fixture
def records(make_record):
    """Scores 0.9 right, 0.8 wrong, 0.7 right, 0.6 wrong, and one frame without a pose."""
    errors = [0.01, 0.5, 0.1, 0.4]
    scored = [make_record(k, metres, score=0.9 - 0.1 * k) for k, metres in enumerate(errors)]
    return [*scored[::-1], make_record(4, localized=False)]


def test_risk_and_coverage_grow_from_the_highest_score_down(records):
    curve = risk_coverage(records, SCORE)
    assert curve.values.tolist() == pytest.approx([0.9, 0.8, 0.7, 0.6])
    assert curve.coverage.tolist() == pytest.approx([0.2, 0.4, 0.6, 0.8])
    assert curve.risk.tolist() == pytest.approx([0, 1 / 2, 1 / 3, 2 / 4])


def test_the_area_is_the_share_of_pairs_in_the_right_order(records):
    # (0.9, 0.8), (0.9, 0.6) and (0.7, 0.6), but not (0.7, 0.8).
    assert auroc(records, SCORE) == pytest.approx(3 / 4)


def test_equal_scores_count_half(make_record):
    same = [make_record(k, metres, score=0.5) for k, metres in enumerate([0.01, 0.5, 0.6])]
    assert auroc(same, SCORE) == pytest.approx(0.5)


def test_poses_that_were_not_published_count(make_record):
    rejected = make_record(0, localized=False, score=0.2)
    found = make_record(1, 0.5)
    wrong = make_record(1, localized=False, score=0.1, rejected_pose=found.T_map_camera)
    right = make_record(2, 0.01, score=0.8)
    assert auroc([rejected, right], SCORE) is None
    assert risk_coverage([rejected, right], SCORE).coverage.tolist() == [0.5]
    assert wrong.found_error is not None
    assert auroc([wrong, right], SCORE) == 1.0


def test_without_poses_or_without_wrong_ones_nothing_can_be_said(make_record):
    assert risk_coverage([make_record(0, localized=False)], SCORE) is None
    assert auroc([make_record(0, 0.01, score=0.5)], SCORE) is None
