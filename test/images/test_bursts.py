"""The stress video against what its table says: when, how hard, and that nothing jumps."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from dense_reloc_ros.geometry.camera import Camera
from dense_reloc_ros.images.bursts import (
    CLEAR_SECONDS,
    DISTURBANCES,
    Burst,
    disturb,
    schedule,
)

CAMERA = Camera(160, 120, 150.0, 150.0, 79.5, 59.5)
TIMES = [3.0 + k / 15 for k in range(150)]


def picture() -> np.ndarray:
    coarse = np.random.default_rng(0).integers(0, 256, (12, 16, 3), dtype=np.uint8)
    return cv2.resize(coarse, (CAMERA.width, CAMERA.height), interpolation=cv2.INTER_LINEAR)


def burst(kind: str, **others: object) -> Burst:
    return replace(Burst(kind, 10, 20, 0.3, 1.2, "left", 0.4), **others)


@pytest.mark.parametrize("seed", range(5))
def test_bursts_and_the_clear_frames_between_them_are_as_long_as_the_table_says(seed):
    bursts = schedule(TIMES, seed)
    assert len(bursts) >= 6
    period = 1 / 15
    ends = [0, *(b.end for b in bursts)]
    for b, before in zip(bursts, ends, strict=False):
        shortest, longest = DISTURBANCES[b.kind].seconds
        assert shortest - period < (b.end - b.begin) * period < longest + period
        assert CLEAR_SECONDS[0] - period < (b.begin - before) * period < CLEAR_SECONDS[1] + period
    assert bursts[-1].end < len(TIMES)
    # All kinds in every round of four, and not always in the same order.
    for first in range(0, len(bursts) - 3, 4):
        assert {b.kind for b in bursts[first : first + 4]} == set(DISTURBANCES)


def test_each_seed_gives_another_video_and_always_the_same():
    assert schedule(TIMES, 4) == schedule(TIMES, 4)
    orders = {tuple(b.kind for b in schedule(TIMES, seed)[:4]) for seed in range(8)}
    assert len(orders) > 3


def test_bursts_last_as_long_at_another_rate():
    slow, fast = schedule(TIMES[::3], 0), schedule(TIMES, 0)
    assert [b.kind for b in slow] == [b.kind for b in fast]
    for a, b in zip(slow, fast, strict=True):
        assert abs(3 * a.begin - b.begin) <= 3
        assert abs(3 * a.end - b.end) <= 3


def test_a_black_out_shows_nothing_of_the_scene():
    image = disturb(picture(), burst("black-out"), 12, [0, 1]).astype(float)
    assert image.max() < 20
    shown = picture().astype(float)
    assert abs(np.corrcoef(image.ravel(), shown.ravel())[0, 1]) < 0.02


def test_darkness_leaves_the_light_that_its_conditions_say():
    conditions = DISTURBANCES["darkness"].conditions
    white = np.full((240, 320, 3), 255, np.uint8)
    expected = 255 * (conditions.gain + conditions.read_noise / np.sqrt(2 * np.pi))
    # Read noise below black is cut off, which lifts the mean by at most its half-normal mean.
    mean = disturb(white, burst("darkness"), 15, [0, 1]).mean()
    assert 255 * conditions.gain - 0.1 < mean < expected + 0.1


@pytest.mark.parametrize(
    ("side", "half", "other"),
    [
        ("left", np.s_[:, :80], np.s_[:, 80:]),
        ("right", np.s_[:, 80:], np.s_[:, :80]),
        ("top", np.s_[:60], np.s_[60:]),
        ("bottom", np.s_[60:], np.s_[:60]),
    ],
)
def test_the_same_half_stays_covered_by_the_same_grey(side, half, other):
    covered = burst("half covered", side=side, cover_brightness=0.5)
    white = 255 * DISTURBANCES["half covered"].conditions.gain
    for index in (10, 15, 19):
        for value, brightness in ((255, 1.0), (204, 0.8**2.5)):
            scene = np.full((CAMERA.height, CAMERA.width, 3), value, np.uint8)
            image = disturb(scene, covered, index, [0, index])
            # In the dark the mean rises a little, as noise below zero is cut off.
            assert image[half].mean() == pytest.approx(0.5 * white, abs=0.3)
            assert image[other].mean() == pytest.approx(brightness * white, abs=0.3)


def test_the_blur_grows_turns_and_shrinks_without_a_jump():
    blurred = burst("motion blur", begin=0, end=15)
    point = np.zeros((241, 241, 3), np.uint8)
    point[118:123, 118:123] = 255
    lengths, directions = [], []
    for index in range(15):
        light = disturb(point, blurred, index, [0, index])[..., 0].astype(float)
        light[light < 8] = 0  # the noise
        y, x = np.mgrid[:241, :241] - 120.0
        weights = light.ravel() / light.sum()
        axes = np.cov(np.stack([x.ravel(), y.ravel()]), aweights=weights)
        values, vectors = np.linalg.eigh(axes)
        # The deviation of a uniform line is its length over the square root of 12.
        lengths.append(np.sqrt(12 * values[1]))
        directions.append(np.arctan2(vectors[1, 1], vectors[0, 1]) % np.pi)
    longest = DISTURBANCES["motion blur"].conditions.blur
    assert max(lengths) == pytest.approx(longest, rel=0.1)
    assert np.argmax(lengths) in (6, 7, 8)
    assert max(lengths[0], lengths[-1]) < 0.25 * longest
    assert np.abs(np.diff(lengths)).max() < 0.3 * longest
    assert directions[7] == pytest.approx((0.3 + 1.2) / 2, abs=0.1)
    assert directions[4] < directions[7] < directions[10]
