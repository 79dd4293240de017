"""Counts on videos whose errors are written down here."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from dense_reloc_ros.evaluation.benchmarks.fusion_numbers import (
    FusedVideo,
    contrast,
    contrasts,
    frames_to_recovery,
)
from dense_reloc_ros.evaluation.benchmarks.stress_video import Burst


def burst(kind: str, begin: int, end: int) -> Burst:
    return Burst(kind, begin, end, 0.0, 0.0, "left", 0.3)


@pytest.fixture
def video(make_record) -> FusedVideo:
    """Twelve frames: clear 0-1, blur 2-5, clear 6-7, black-out 8-9, clear 10-11.

    Errors are in metres; None is no pose.
    """
    single = [0.01, 0.01, 0.04, None, 0.30, 0.06, 0.06, 0.01, None, None, 0.02, 0.02]
    fused = [0.01, 0.01, 0.02, 0.03, 0.20, 0.04, 0.01, 0.06, None, 0.40, None, 0.02]

    def records(errors: list[float | None]):
        return [
            make_record(k, metres=0.0 if metres is None else metres, localized=metres is not None)
            for k, metres in enumerate(errors)
        ]

    raw = [0.01, 0.01, 0.02, 0.03, None, 0.04, 0.01, 0.04, None, None, None, 0.02]
    bursts = [burst("blur", 2, 6), burst("black-out", 8, 10)]
    answers = records(single), records(raw), records(fused)
    return FusedVideo(bursts, *answers, [80.0] * 12, [20.0] * 12)


def test_all_frames(video):
    numbers = contrast([video])
    assert numbers.frames == 12
    assert numbers.single.recall == pytest.approx(6 / 12)
    assert numbers.fused.recall == pytest.approx(7 / 12)
    assert numbers.recall_ratio == pytest.approx(7 / 6)
    assert (numbers.outside, numbers.saved, numbers.lost) == (6, 3, 2)
    assert (numbers.single.wrong, numbers.raw.wrong, numbers.fused.wrong) == (1, 0, 1)
    assert numbers.raw.recall == pytest.approx(8 / 12)
    # Centimetres: 1 1 1 2 2 4 6 6 30, and 1 1 1 2 2 3 4 6 20 40.
    assert numbers.single.median_translation_m == pytest.approx(0.02)
    assert numbers.fused.median_translation_m == pytest.approx(0.025)


def test_recovery_counts_from_the_first_clear_frame(video):
    numbers = contrast([video])
    # By themselves: frame 7 after the blur (the second), frame 10 after the black-out (the first).
    assert (numbers.single.median_recovery, numbers.single.worst_recovery) == (1.5, 2)
    # Fused: frame 6 at once, frame 11 as the second.
    assert (numbers.fused.median_recovery, numbers.fused.worst_recovery) == (1.5, 2)
    assert contrasts([video])["blur"].fused.worst_recovery == 1


def test_each_kind_counts_its_own_frames(video):
    kinds = contrasts([video])
    assert {name: kind.frames for name, kind in kinds.items()} == {
        "blur": 4,
        "black-out": 2,
        "clear": 6,
    }
    assert (kinds["blur"].single.recall, kinds["blur"].fused.recall) == (0.25, 0.75)
    assert kinds["black-out"].recall_ratio is None
    assert kinds["clear"].single.worst_recovery is None


def test_several_videos_are_one_sample(video):
    one, two = contrast([video]), contrast([video, video])
    assert (two.frames, two.saved, two.lost) == (24, 2 * one.saved, 2 * one.lost)
    assert two.single.model_copy(update={"wrong": 1}) == one.single


def test_a_video_without_bursts_has_no_kinds(video):
    plain = replace(video, bursts=[])
    assert contrasts([plain]) == {}
    assert contrast([plain]).single.median_recovery is None


def test_frames_without_a_true_pose_do_not_count(make_record):
    records = [make_record(0), make_record(1, ground_truth=False)]
    numbers = contrast([FusedVideo([], records, records, records, [1.0], [1.0])])
    assert (numbers.frames, numbers.single.recall) == (1, 1.0)


@pytest.mark.parametrize(
    ("within", "frames"),
    [
        ([0, 0, 0, 1, 1, 0, 0, 1], [1, 1]),
        ([0, 0, 0, 0, 1, 1, 1, 0], [2, math.inf]),
        ([1, 1, 1, 0, 0, 1, 1, 0], [math.inf, math.inf]),
    ],
)
def test_recovery_must_come_before_the_next_burst(within, frames):
    bursts = [burst("blur", 1, 3), burst("blur", 5, 7)]
    assert frames_to_recovery([bool(w) for w in within], bursts) == frames
