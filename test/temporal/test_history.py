"""How long frames are remembered, and what is no new frame."""

from __future__ import annotations

import numpy as np
import torch

from dense_reloc_ros.features.extractor import DenseFeatures, FeatureLevel
from dense_reloc_ros.geometry.camera import Camera
from dense_reloc_ros.localization import Localization, Status
from dense_reloc_ros.temporal.frames import LocalizedFrame
from dense_reloc_ros.temporal.history import MOST_POSES, VELOCITY_SECONDS, History, PreviousFrame

CAMERA = Camera(64, 48, 50.0, 50.0, 31.5, 23.5)
MILLISECOND = 1_000_000


def frame(milliseconds: int, brightness: float | None = None) -> LocalizedFrame:
    values = torch.full((1, 2, 3, 4), milliseconds if brightness is None else brightness)
    features = DenseFeatures({"coarse": FeatureLevel(16, 7.5, values)}, torch.zeros(1, 1))
    localization = Localization(Status.NO_CANDIDATES, "")
    return LocalizedFrame(milliseconds * MILLISECOND, CAMERA, features, localization)


def at(x: float) -> np.ndarray:
    pose = np.eye(4)
    pose[0, 3] = x
    return pose


def accepted(history: History, milliseconds: int, x: float) -> PreviousFrame:
    new = frame(milliseconds)
    history.see(new)
    previous = PreviousFrame(new, at(x), (0,))
    history.accept(previous)
    return previous


def test_a_frame_helps_until_it_is_too_old():
    history = History()
    assert history.previous(0, 0.5) is None
    previous = accepted(history, 1000, 0.0)
    assert history.previous(1500 * MILLISECOND, 0.5) is previous
    assert history.previous(1501 * MILLISECOND, 0.5) is None


def test_a_repeated_picture_is_no_new_one():
    history = History()
    assert history.see(frame(0, brightness=0.5))
    assert not history.see(frame(33, brightness=0.5))
    assert history.see(frame(66, brightness=0.6))
    assert history.see(frame(99, brightness=0.5))


def test_time_that_does_not_go_on_begins_anew():
    for later in (900, 1000):
        history = History()
        accepted(history, 1000, 0.0)
        assert history.see(frame(later, brightness=0.1))
        assert history.previous(later * MILLISECOND, 10.0) is None


def test_the_velocity_is_that_of_the_last_moments():
    history = History()
    # It stood still for a second and moves since then by 1 m/s.
    for milliseconds in range(0, 1600, 100):
        accepted(history, milliseconds, max(0.0, milliseconds / 1000 - 1.0))
    assert VELOCITY_SECONDS < 0.5
    np.testing.assert_allclose(history.predict(1600 * MILLISECOND, None), at(0.6), atol=1e-12)


def test_it_does_not_grow():
    history = History()
    for number in range(10_000):
        accepted(history, number, 0.0)
    assert len(history._poses) <= MOST_POSES


def test_nothing_is_left_when_it_is_cleared():
    history = History()
    previous = accepted(history, 1000, 0.0)
    history.clear()
    assert history.previous(1000 * MILLISECOND, 10.0) is None
    assert history.see(previous.frame)
