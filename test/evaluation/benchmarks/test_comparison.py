"""Comparisons by contenders whose answers are known."""

from __future__ import annotations

import pytest
from evaluation.fake_contender import contender, frames

from dense_reloc_ros.errors import InputError
from dense_reloc_ros.evaluation.benchmarks.comparison import compare_poses, compare_robustness


def test_robustness_is_the_report_of_each_level_and_contender():
    contenders = [contender("nre", [0.01, 0.03, 0.2, None]), contender("re", [0.04] * 4)]
    results = compare_robustness(contenders, frames(), ["clean", "night"], "queries")
    assert [(r.level, r.method) for r in results] == [
        ("clean", "nre"),
        ("clean", "re"),
        ("night", "nre"),
        ("night", "re"),
    ]
    first = results[0]
    assert (first.frames, first.localized, first.wrong) == (4, 2, 0)
    assert first.recall["2cm_2deg"] == 0.25
    assert first.recall["5cm_5deg"] == 0.5
    assert first.median_translation_m == pytest.approx(0.02)
    assert (first.map, first.keyframes, first.queries) == ("maps/map", 7, "queries")
    assert results[3].recall["5cm_5deg"] == 1.0


def test_confidences_are_those_of_the_poses():
    doubtful = contender("nre", [0.01, 0.03, 0.3, None], confidence=0.5)
    first, second = compare_robustness(
        [doubtful, contender("re", [0.01])], frames(), ["clean"], "queries"
    )
    assert first.calibration.frames == 3
    assert first.calibration.expected_calibration_error == pytest.approx(2 / 3 - 0.5)
    assert second.calibration is None


def test_poses_count_whether_they_are_published_or_not():
    (result,) = compare_poses([contender("nre", [0.01, 0.03, 0.2, None])], frames(), ["clean"])
    assert result.frames == 4
    assert result.outside == {"2cm_2deg": 0.75, "5cm_5deg": 0.5, "25cm_10deg": 0.25}


def test_deterioration_is_relative_to_nre_on_the_same_level_and_map():
    contenders = [
        contender("re", [0.03, 0.03, 0.03, None]),
        contender("nre", [0.01, 0.03, 0.03, 0.03]),
        contender("re", [0.03] * 4, map_name="other"),
    ]
    on_map, reference, elsewhere = compare_poses(contenders, frames(), ["dim"])
    assert on_map.deterioration["2cm_2deg"] == pytest.approx(1 / 0.75 - 1)
    assert on_map.deterioration["5cm_5deg"] is None  # NRE is never outside
    assert reference.deterioration == dict.fromkeys(reference.outside, 0.0)
    assert elsewhere.deterioration == dict.fromkeys(elsewhere.outside)


def test_frames_without_true_poses_cannot_be_compared():
    with pytest.raises(InputError, match="--ground-truth"):
        compare_robustness([contender("nre", [0.0])], frames(known=False), ["clean"], "queries")
