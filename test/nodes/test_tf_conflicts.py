"""What a node says itself is no conflict; what others say of the same frame is one, for a while."""

from __future__ import annotations

import time

import pytest

from dense_reloc_ros.nodes.tf_conflicts import TfConflicts


@pytest.fixture
def conflicts() -> TfConflicts:
    made = TfConflicts()
    made.say("map", "odom", 10)
    return made


def test_ones_own_transforms_and_those_of_other_frames_are_none(conflicts):
    conflicts.hear("map", "odom", 10)
    conflicts.hear("odom", "base_link", 10)
    assert conflicts.problem == ""


def test_before_anything_was_said_nothing_can_contradict_it():
    conflicts = TfConflicts()
    conflicts.hear("world", "odom", 10)
    assert conflicts.problem == ""


def test_what_was_said_of_another_map_is_still_ones_own(conflicts):
    conflicts.say("hall", "odom", 20)
    conflicts.hear("map", "odom", 10)
    assert conflicts.problem == ""


@pytest.mark.parametrize(
    ("parent", "begin"),
    [("map", "another node publishes 'map' -> 'odom', too"), ("world", "another node says that")],
)
def test_what_others_say_is_a_conflict_until_they_stop(conflicts, parent, begin, monkeypatch):
    conflicts.hear(parent, "odom", 11)
    assert conflicts.problem.startswith(begin)
    later = time.monotonic() + 6.0
    monkeypatch.setattr(time, "monotonic", lambda: later)
    assert conflicts.problem == ""
