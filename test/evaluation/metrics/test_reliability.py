"""Reliability against counts made by hand, and of confidences that are right by construction."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from dense_reloc_ros.evaluation.metrics.reliability import reliability


def test_the_error_is_that_of_bins_counted_by_hand(make_record):
    """Two of four are right at about 0.8, none of two at 0.15; certainty is in the last bin."""
    records = [
        make_record(0, 0.01, confidence=0.82),
        make_record(1, 0.2, 9.9, confidence=0.86),
        make_record(2, 0.26, confidence=0.84),
        make_record(3, 0.00, 10.1, confidence=0.88),
        make_record(4, 3.00, confidence=0.15),
        make_record(5, 0.3, confidence=0.15),
        make_record(6, 0.00, confidence=1.0),
    ]
    found = reliability(records)
    assert [(b.frames, b.right) for b in found.bins] == [(2, 0.0), (4, 0.5), (1, 1.0)]
    assert [b.confidence for b in found.bins] == pytest.approx([0.15, 0.85, 1.0])
    assert found.frames == 7
    expected = (2 * 0.15 + 4 * 0.35 + 1 * 0.0) / 7
    assert found.expected_calibration_error == pytest.approx(expected)


def test_confidences_that_come_true_have_no_error(make_record):
    rng = np.random.default_rng(1)
    confidences = rng.uniform(0, 1, 4000)
    is_right = rng.random(4000) < confidences
    right, wrong = make_record(0, 0.01), make_record(1, 0.5)
    records = [
        replace(right if one else wrong, confidence=float(c))
        for one, c in zip(is_right, confidences, strict=True)
    ]
    assert reliability(records).expected_calibration_error < 0.03
    doubtful = [replace(record, confidence=record.confidence / 2) for record in records]
    assert reliability(doubtful).expected_calibration_error == pytest.approx(0.25, abs=0.03)


def test_poses_that_were_not_published_count(make_record):
    published = make_record(0, 0.3, confidence=0.4)
    rejected = replace(published, T_map_camera=None, rejected_pose=published.T_map_camera)
    assert reliability([rejected]) == reliability([published])


def test_frames_without_a_pose_a_truth_or_a_confidence_do_not_count(make_record):
    nothing = [
        make_record(0, localized=False, confidence=0.1),
        make_record(1, ground_truth=False, confidence=0.9),
        make_record(2, 0.01),
    ]
    assert reliability(nothing) is None
    counted = make_record(3, 0.01, confidence=0.7)
    assert reliability([*nothing, counted]).frames == 1
