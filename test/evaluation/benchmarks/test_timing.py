"""How times are taken and compared; never how long anything takes."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace

import pytest
from evaluation.fake_system import OffByMetres, frames, system

from dense_reloc_ros.configuration import LocalizerConfiguration
from dense_reloc_ros.errors import InputError
from dense_reloc_ros.evaluation.benchmarks import timing
from dense_reloc_ros.evaluation.benchmarks.process_memory import PeakMemory
from dense_reloc_ros.evaluation.benchmarks.systems import System
from dense_reloc_ros.evaluation.benchmarks.timing import SpeedResult, compare_speed, time_in_turns


def test_every_frame_goes_to_all_systems_before_the_next_one():
    log: list[str] = []
    systems = [system("a", [0.0, 0.01, 0.02], log), system("b", [0.0], log)]
    rows = time_in_turns(systems, frames(3), warm_up=1)
    assert log == ["a", "b"] * 3
    first = [row.frame for row in rows if row.condition.method == "a"]
    assert [record.name for record in first] == ["frame-000001", "frame-000002"]
    assert [record.error.translation for record in first] == pytest.approx([0.01, 0.02])
    assert len(rows) == 4


def test_frames_of_all_degradations_are_timed_together():
    rows = time_in_turns([system("a", [0.0])], frames(3), 1, degradations=("clean", "night"))
    assert [(row.condition.degradation, row.frame.name) for row in rows] == [
        (degradation, name)
        for degradation in ("clean", "night")
        for name in ("frame-000001", "frame-000002")
    ]


def test_warming_up_must_leave_frames_to_time():
    with pytest.raises(InputError, match="2 frames are too few"):
        time_in_turns([system("a", [0.0])], frames(2), warm_up=2)


@pytest.fixture
def compare(monkeypatch):
    """Compares systems without their processes and maps, which do not exist."""

    def measure(system: System, configuration, images) -> PeakMemory:
        return PeakMemory(resident_mb=100.0 * len(images), gpu_mb=None)

    monkeypatch.setattr(timing, "peak_memory", measure)
    monkeypatch.setattr(
        timing, "summarize_map", lambda path: SimpleNamespace(size_mb_per_keyframe=0.5)
    )

    def compare(*systems: System, busy: int = 0) -> list[SpeedResult]:
        return compare_speed(systems, LocalizerConfiguration(), frames(4), 1, busy)

    return compare


def test_times_are_relative_to_sift_on_the_map_most_alike(compare):
    large, small, nre = compare(
        system("sift_pnp", [0.0], keyframes=100),
        system("sift_pnp", [0.0], keyframes=20),
        system("nre", [0.0], keyframes=25),
    )
    assert (large.ratio_to_baseline, small.ratio_to_baseline) == (1.0, 1.0)
    assert nre.ratio_to_baseline == nre.frame_ms.median / small.frame_ms.median


def test_without_sift_there_is_no_ratio(compare):
    (nre,) = compare(system("nre", [0.0, 0.2, 0.0, 0.0]))
    assert nre.ratio_to_baseline is None
    assert (nre.frames, nre.localized) == (3, 2)
    assert (nre.peak_memory_mb, nre.map_mb_per_keyframe) == (400.0, 0.5)
    assert nre.stage_ms["pose"].median == 1.0
    assert (nre.busy_frame_ms, nre.ratio_busy_to_idle) == (None, None)


def test_each_frame_is_localized_idle_and_then_beside_busy_processes():
    running: list[int] = []

    class Watching(OffByMetres):
        """Notes how many children of this process are running, not stopped."""

        def localize(self, image, camera):
            running.append(running_children())
            return super().localize(image, camera)

    watching = System(Watching("nre", [0.0]), Path("maps/map"))
    before = running_children()
    rows = time_in_turns([watching], frames(3), warm_up=1, busy=2)
    assert [row.condition.way for row in rows] == ["single", "busy"] * 2
    assert running == [before, before + 2] * 3
    assert running_children() == before


def running_children() -> int:
    """How many children of this process are neither stopped nor gone."""
    states = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        if int(fields[1]) == os.getpid():
            states.append(fields[0])
    return sum(state not in "TZX" for state in states)


def test_the_ratio_is_that_of_the_medians(compare):
    (nre,) = compare(system("nre", [0.0]), busy=1)
    assert nre.busy_processes == 1
    assert nre.ratio_busy_to_idle == nre.busy_frame_ms.median / nre.frame_ms.median
