"""How times are taken and compared; never how long anything takes."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from evaluation.fake_contender import contender, frames

from dense_reloc_ros.configuration import LocalizerConfiguration
from dense_reloc_ros.errors import InputError
from dense_reloc_ros.evaluation.benchmarks import speed
from dense_reloc_ros.evaluation.benchmarks.contenders import Contender
from dense_reloc_ros.evaluation.benchmarks.memory import PeakMemory
from dense_reloc_ros.evaluation.benchmarks.speed import SpeedResult, compare_speed, time_in_turns


def test_every_frame_goes_to_all_contenders_before_the_next_one():
    log: list[str] = []
    contenders = [contender("a", [0.0, 0.01, 0.02], log), contender("b", [0.0], log)]
    first, second = time_in_turns(contenders, frames(3), warm_up=1)
    assert log == ["a", "b"] * 3
    assert [record.name for record in first] == ["frame-000001", "frame-000002"]
    assert [record.error.translation for record in first] == pytest.approx([0.01, 0.02])
    assert len(second) == 2


def test_warming_up_must_leave_frames_to_time():
    with pytest.raises(InputError, match="2 frames are too few"):
        time_in_turns([contender("a", [0.0])], frames(2), warm_up=2)


@pytest.fixture
def compare(monkeypatch):
    """Compares contenders without their processes and maps, which do not exist."""

    def measure(contender: Contender, configuration, images) -> PeakMemory:
        return PeakMemory(resident_mb=100.0 * len(images), gpu_mb=None)

    monkeypatch.setattr(speed, "peak_memory", measure)
    monkeypatch.setattr(
        speed, "summarize_map", lambda path: SimpleNamespace(size_mb_per_keyframe=0.5)
    )

    def compare(*contenders: Contender) -> list[SpeedResult]:
        return compare_speed(contenders, LocalizerConfiguration(), frames(4), warm_up=1)

    return compare


def test_times_are_relative_to_sift_on_the_map_most_alike(compare):
    large, small, nre = compare(
        contender("sift_pnp", [0.0], keyframes=100),
        contender("sift_pnp", [0.0], keyframes=20),
        contender("nre", [0.0], keyframes=25),
    )
    assert (large.ratio_to_baseline, small.ratio_to_baseline) == (1.0, 1.0)
    assert nre.ratio_to_baseline == nre.frame_ms.median / small.frame_ms.median


def test_without_sift_there_is_no_ratio(compare):
    (nre,) = compare(contender("nre", [0.0, 0.2, 0.0, 0.0]))
    assert nre.ratio_to_baseline is None
    assert (nre.frames, nre.localized) == (3, 2)
    assert (nre.peak_memory_mb, nre.map_mb_per_keyframe) == (400.0, 0.5)
    assert nre.stage_ms["pose"].median == 1.0
