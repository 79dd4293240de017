"""How long frames are remembered, and what is no new frame."""

from __future__ import annotations

from dataclasses import replace

import torch

from dense_reloc_ros.features.extractor import DenseFeatures, FeatureLevel
from dense_reloc_ros.geometry.camera import Camera
from dense_reloc_ros.localization.result import Localization, Status
from dense_reloc_ros.temporal.fused_frames import LocalizedFrame
from dense_reloc_ros.temporal.history import History

CAMERA = Camera(64, 48, 50.0, 50.0, 31.5, 23.5)
MILLISECOND = 1_000_000


def frame(milliseconds: int, brightness: float | None = None) -> LocalizedFrame:
    values = torch.full((1, 2, 3, 4), milliseconds if brightness is None else brightness)
    features = DenseFeatures({"coarse": FeatureLevel(16, 7.5, values)}, torch.zeros(1, 1))
    localization = Localization(Status.NO_CANDIDATES, "")
    return LocalizedFrame(milliseconds * MILLISECOND, CAMERA, features, localization)


def see(history: History, seen: LocalizedFrame) -> bool:
    return history.see(seen.stamp, seen.features)


def accepted(history: History, milliseconds: int) -> LocalizedFrame:
    new = frame(milliseconds)
    see(history, new)
    history.accept(new.stamp, new)
    return new


def test_a_frame_helps_until_it_is_too_old():
    history = History()
    assert history.previous(0, 0.5) is None
    new = accepted(history, 1000)
    assert history.previous(1500 * MILLISECOND, 0.5) is new
    assert history.previous(1501 * MILLISECOND, 0.5) is None


def test_several_frames_help_each_for_its_time():
    history = History(2)
    first, second, third = (accepted(history, time) for time in (1000, 1100, 1400))
    assert history.earlier(1500 * MILLISECOND, 0.5) == [third, second]
    assert history.earlier(1700 * MILLISECOND, 0.5) == [third]
    assert first not in history.earlier(1400 * MILLISECOND, 10.0)


def test_frames_that_are_only_seen_do_not_help():
    history = History()
    new = accepted(history, 1000)
    see(history, frame(1100))
    assert history.previous(1200 * MILLISECOND, 0.5) is new


def test_a_repeated_picture_is_no_new_one():
    history = History()
    assert see(history, frame(0, brightness=0.5))
    assert not see(history, frame(33, brightness=0.5))
    assert see(history, frame(66, brightness=0.6))
    assert see(history, frame(99, brightness=0.5))


def test_frames_without_features_are_always_new():
    history = History()
    for milliseconds in (0, 33):
        assert see(history, replace(frame(milliseconds), features=None))


def test_a_video_goes_on_only_forwards():
    history = History()
    assert history.goes_on(0)
    accepted(history, 1000)
    assert history.goes_on(1001 * MILLISECOND)
    assert not history.goes_on(1000 * MILLISECOND)
    assert not history.goes_on(999 * MILLISECOND)


def test_nothing_is_left_when_it_is_cleared():
    history = History()
    new = accepted(history, 1000)
    history.clear()
    assert history.previous(1000 * MILLISECOND, 10.0) is None
    assert see(history, new)
    assert history.goes_on(0) is False
