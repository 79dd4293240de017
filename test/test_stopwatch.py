"""Wall time by stage, with a clock that the test winds."""

from __future__ import annotations

import time

import pytest
import torch

from dense_reloc_ros.errors import TimeLimitError
from dense_reloc_ros.stopwatch import Stopwatch


class Clock:
    """Stands for `time.perf_counter`."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(time, "perf_counter", clock)
    return clock


def test_milliseconds_are_summed_by_stage(clock):
    stopwatch = Stopwatch(torch.device("cpu"))
    for name, seconds in (("features", 0.25), ("pose", 0.5), ("features", 1.0)):
        with stopwatch.stage(name):
            clock.seconds += seconds
        clock.seconds += 7.0  # between stages
    assert stopwatch.milliseconds == pytest.approx({"features": 1250.0, "pose": 500.0})
    assert list(stopwatch.milliseconds) == ["features", "pose"]


def test_a_stage_that_fails_is_timed_too(clock):
    stopwatch = Stopwatch(torch.device("cpu"))
    with pytest.raises(ValueError, match="broken"), stopwatch.stage("pose"):
        clock.seconds += 0.125
        raise ValueError("broken")
    assert stopwatch.milliseconds == pytest.approx({"pose": 125.0})


def test_work_that_a_gpu_still_does_is_waited_for(clock, monkeypatch):
    def synchronize(device: torch.device) -> None:
        assert device == torch.device("cuda", 0)
        clock.seconds += 2.0

    monkeypatch.setattr(torch.cuda, "synchronize", synchronize)
    stopwatch = Stopwatch(torch.device("cuda", 0))
    with stopwatch.stage("features"):
        clock.seconds += 1.0
    assert stopwatch.milliseconds == pytest.approx({"features": 3000.0})


def test_no_stage_begins_after_the_time_is_over(clock):
    stopwatch = Stopwatch(torch.device("cpu"), most_seconds=2.0)
    with stopwatch.stage("features"):
        clock.seconds += 2.0
    with stopwatch.stage("matching"):  # just in time, and never interrupted
        clock.seconds += 5.0
    with pytest.raises(TimeLimitError) as caught, stopwatch.stage("pose"):
        pytest.fail("has begun")
    assert str(caught.value) == ("given up before 'pose' after 2 s, the frame's max_frame_seconds")
