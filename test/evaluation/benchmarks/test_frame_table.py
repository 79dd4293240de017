"""The table of frames as a file, read back."""

from __future__ import annotations

import csv

import pytest
from evaluation.fake_system import frames, system

from dense_reloc_ros.errors import InputError
from dense_reloc_ros.evaluation.benchmarks.frame_table import elsewhere_results, write_frames
from dense_reloc_ros.evaluation.benchmarks.runner import QuerySet, run_benchmark


def test_a_line_says_under_which_condition_what_was_found(tmp_path):
    systems = [system("nre", [0.03, 0.2, None])]
    write_frames(tmp_path / "f.csv", run_benchmark(systems, QuerySet("here", frames(3))))
    with (tmp_path / "f.csv").open(newline="") as file:
        near, rejected, lost = csv.DictReader(file)
    condition = ("method", "way", "map", "keyframes", "queries", "degradation", "seed")
    expected = ["nre", "single", "maps/map", "7", "here", "clean", "0"]
    assert [near[name] for name in condition] == expected
    assert [line["status"] for line in (near, rejected, lost)] == [
        "localized",
        "rejected",
        "no_candidates",
    ]
    # Rejected poses, too: a threshold can be chosen by them.
    assert float(near["translation_m"]) == pytest.approx(0.03)
    assert float(rejected["translation_m"]) == pytest.approx(0.2)
    assert (lost["translation_m"], lost["found_x"], lost["reason"]) == ("", "", "nothing matches")
    # The covariance is the identity.
    assert float(near["nees"]) == pytest.approx(0.03**2)
    assert (near["found_x"], near["true_x"], near["localized_against"]) == ("0.03", "0.0", "0")


def test_what_cannot_be_written_is_said(tmp_path):
    with pytest.raises(InputError, match="cannot be written"):
        write_frames(tmp_path / "nowhere/f.csv", [])


def test_poses_in_other_places_are_counted_with_the_highest_score(tmp_path):
    rows = run_benchmark([system("nre", [0.03, 0.2, None])], QuerySet("there", frames(3, False)))
    (result,) = elsewhere_results(rows)
    assert (result.map, result.queries, result.attempts, result.published) == ("map", "there", 3, 1)
    assert (result.highest_score, result.highest_confidence) == (0.5, None)
