"""Which observations a query is matched with."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from scene.small_map import make_map

from dense_reloc_ros.scene.scene_map import SceneMap
from dense_reloc_ros.scene.selection import all_observations, best_observations


@pytest.fixture
def overlapping() -> SceneMap:
    """Keyframes that see the points 0-4, 3-7 and 0, 7, 8."""
    seen = torch.tensor([0, 1, 2, 3, 4, 7, 6, 5, 4, 3, 8, 7, 0])
    return replace(
        make_map(keyframes=3),
        observation_offsets=torch.tensor([0, 5, 10, 13]),
        observation_points=seen,
    )


def test_all_observations_of_keyframes_in_their_order(overlapping):
    assert all_observations(overlapping, [2, 0]).tolist() == [10, 11, 12, 0, 1, 2, 3, 4]


def test_a_point_is_taken_once_as_the_query_resembles_it_most(overlapping):
    observations = torch.arange(13)
    quality = torch.tensor([9.0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 1])
    chosen = best_observations(overlapping, observations, quality, 99)
    # Point 0 by observation 0 and not 12, 3 by 9, 4 by 8, 7 by 11; 1, 2, 5, 6 and 8 are seen once.
    assert chosen.tolist() == [0, 1, 2, 6, 7, 8, 9, 10, 11]
    assert best_observations(overlapping, observations, quality, 3).tolist() == [0, 10, 11]


@pytest.mark.parametrize("seed", range(5))
def test_the_best_are_chosen_as_by_a_slow_loop(seed):
    scene_map = make_map(seed=seed, keyframes=6, points=200)
    observations = all_observations(scene_map, [4, 0, 5, 2])
    generator = torch.Generator().manual_seed(seed)
    quality = torch.rand(len(observations), generator=generator)
    points = scene_map.observation_points[observations].tolist()
    best: dict[int, int] = {}
    for position, point in enumerate(points):
        if point not in best or quality[position] > quality[best[point]]:
            best[point] = position
    expected = sorted(best.values(), key=lambda position: -quality[position])[:50]
    chosen = best_observations(scene_map, observations, quality, 50)
    assert chosen.tolist() == sorted(observations[expected].tolist())
