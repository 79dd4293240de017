"""Times in the names of files, each against the date that it stands for."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dense_reloc_ros.mapping.sources.file_times import times_in_names

NOON = int(datetime(2024, 1, 31, 12, 0, 5, tzinfo=timezone.utc).timestamp()) * 10**9

EUROC = 1403636579763555584


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["1305031102.175304", "1305031102.2"], [1305031102175304000, 1305031102200000000]),
        (
            ["1403636579763555584", "1403636579813555456"],
            [1403636579763555584, 1403636579813555456],
        ),
        (["1403636579763", "1403636579800"], [1403636579763000000, 1403636579800000000]),
        (["1403636579763555", "1403636579800000"], [1403636579763555000, 1403636579800000000]),
        (["000010", "000020"], [10 * 10**9, 20 * 10**9]),
        (["left_1403636579763555584"], [1403636579763555584]),
        (["IMG_20240131_120005"], [NOON]),
        (["2024-01-31-12-00-05"], [NOON]),
        (["Screenshot 2024-01-31 at 12.00.05"], [NOON]),
        (["20240131120005"], [NOON]),
        (["PXL_20240131_120005123"], [NOON + 123 * 10**6]),
    ],
)
def test_times_are_recognized_in_any_unit(names, expected):
    assert times_in_names(names) == expected


@pytest.mark.parametrize(
    "names",
    [
        ["nan"],
        ["inf", "1.0"],
        ["1e300"],
        ["-5"],
        ["1.0", "1.00"],
        ["9" * 40],
        ["frame-000001", "frame-000002"],
        ["20241331_250000"],
    ],
)
def test_names_that_are_no_times_are_told(names):
    assert times_in_names(names) is None


@given(st.lists(st.text(alphabet="0123456789.-_eEnaif", max_size=24), min_size=1, max_size=4))
def test_stamps_can_be_counted_in_nanoseconds(names):
    stamps = times_in_names(names)
    assert stamps is None or all(0 <= stamp < 2**63 for stamp in stamps)
