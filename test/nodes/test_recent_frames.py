"""Which frames of a camera are kept."""

from __future__ import annotations

import pytest

pytest.importorskip("rclpy")

from dense_reloc_ros.nodes.recent_frames import COUNT, RecentFrames


def kept(*seconds: float) -> list[float]:
    recent: RecentFrames[float] = RecentFrames()
    for second in seconds:
        recent.add(round(second * 1e9), second)
    return recent.frames


def test_the_newest_and_those_that_lie_apart() -> None:
    assert kept() == []
    assert kept(1.0) == [1.0]
    assert kept(1.0, 1.1, 1.2) == [1.0, 1.2]
    assert kept(*(n / 10 for n in range(13))) == [0.0, 0.5, 1.0, 1.2]
    assert kept(*range(9)) == list(range(9))[-COUNT:]
    assert kept(*(n / 10 for n in range(101)))[-1] == 10.0


def test_a_jump_of_time_ends_them() -> None:
    recent: RecentFrames[str] = RecentFrames()
    recent.add(9, "before")
    recent.clear()
    recent.add(1, "after")
    assert recent.frames == ["after"]
