"""Which observations a query is matched with."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from scene.small_map import make_map

from dense_reloc_ros.scene.scene_map import SceneMap
from dense_reloc_ros.scene.selection import observations_of


@pytest.fixture
def overlapping() -> SceneMap:
    """Keyframes that see the points 0-4, 3-7 and 0, 7, 8."""
    seen = torch.tensor([0, 1, 2, 3, 4, 7, 6, 5, 4, 3, 8, 7, 0])
    return replace(
        make_map(keyframes=3),
        observation_offsets=torch.tensor([0, 5, 10, 13]),
        observation_points=seen,
    )


def test_a_point_is_taken_once_as_the_best_keyframe_saw_it(overlapping):
    assert sorted(observations_of(overlapping, [0, 1], 99).tolist()) == [0, 1, 2, 3, 4, 5, 6, 7]
    assert sorted(observations_of(overlapping, [1, 0], 99).tolist()) == [0, 1, 2, 5, 6, 7, 8, 9]
    assert sorted(observations_of(overlapping, [2, 1], 99).tolist()) == [6, 7, 8, 9, 10, 11, 12]


def test_of_too_many_points_some_are_chosen_the_same_every_time():
    scene_map = make_map(seed=1, keyframes=6, points=200)
    keyframes = [4, 0, 5, 2]
    everything = observations_of(scene_map, keyframes, 10_000)
    chosen = observations_of(scene_map, keyframes, 50)
    assert len(everything) > 100
    assert len(chosen) == 50
    assert set(chosen.tolist()) <= set(everything.tolist())
    points = scene_map.observation_points[chosen]
    assert len(torch.unique(points)) == 50
    assert observations_of(scene_map, keyframes, 50).tolist() == chosen.tolist()


def test_the_choice_is_spread_over_the_keyframes():
    scene_map = make_map(seed=2, keyframes=8, points=400)
    chosen = observations_of(scene_map, list(range(8)), 80)
    owner = torch.searchsorted(scene_map.observation_offsets, chosen, right=True) - 1
    assert len(torch.unique(owner)) >= 6
