"""Choosing keyframes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scene.wall import CAMERA, wall_frame

from dense_reloc_ros.errors import ConfigurationError, InputError
from dense_reloc_ros.mapping.keyframes import select_keyframes


def walk(steps: int, step: float = 0.1, turn: float = 0.0):
    return [wall_frame(k, (step * k, 0.0, 0.0), turn * k) for k in range(steps)]


def names(frames) -> list[int]:
    return [int(frame.name.removeprefix("frame-")) for frame in frames]


def test_all_are_kept_by_default():
    assert names(select_keyframes(walk(5, step=0.0))) == [0, 1, 2, 3, 4]


def test_every_nth():
    assert names(select_keyframes(walk(7), every=3)) == [0, 3, 6]


def test_near_duplicates_are_skipped():
    assert names(select_keyframes(walk(7), distance=0.25)) == [0, 3, 6]


def test_turning_makes_a_new_keyframe():
    chosen = select_keyframes(walk(7, step=0.0, turn=4.0), distance=0.25, angle=np.deg2rad(10.0))
    assert names(chosen) == [0, 3, 6]


def test_coming_back_to_an_old_place_makes_none():
    there = walk(5, step=0.2)
    back = [replace(frame, name=f"frame-{9 - k:06d}") for k, frame in enumerate(there)]
    assert names(select_keyframes([*there, *back[::-1]], distance=0.1)) == [0, 1, 2, 3, 4]


def test_bad_requests_are_refused():
    with pytest.raises(InputError, match="there are no frames"):
        select_keyframes([])
    with pytest.raises(InputError, match="frame-000000: its pose is unknown"):
        select_keyframes([replace(wall_frame(0, (0, 0, 0)), T_map_camera=None)])
    for bad in ({"every": 0}, {"distance": -1.0}, {"angle": 0.0}, {"distance": np.nan}):
        with pytest.raises(ConfigurationError, match="keyframes cannot be taken"):
            select_keyframes(walk(2), **bad)


def test_images_are_undistorted():
    frame = wall_frame(0, (0, 0, 0))
    np.testing.assert_array_equal(frame.load_undistorted(), frame.load_image())
    bent = replace(frame, camera=replace(CAMERA, distortion=(-0.2, 0.0, 0.0, 0.0)))
    assert bent.load_undistorted().shape == (120, 160, 3)
    assert (bent.load_undistorted() != frame.load_image()).any()
