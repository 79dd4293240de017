"""The same furniture between other walls."""

from __future__ import annotations

import numpy as np
import pytest

from dense_reloc_ros.rendering.doubles import is_picture, is_wall, with_other_walls
from dense_reloc_ros.rendering.random_room import STANDING, TALL, random_room


@pytest.mark.parametrize("seed", [601, 602])
def test_only_walls_and_pictures_change(seed):
    room = random_room(seed)
    double = with_other_walls(room, 1)
    changed = [
        one
        for one, other in zip(room.surfaces, double.surfaces, strict=True)
        if not np.array_equal(one.texture, other.texture)
    ]
    walls = [surface for surface in changed if is_wall(surface, room)]
    pictures = [surface for surface in changed if is_picture(surface, room)]
    assert len(walls) == 4
    low = sum(make not in TALL for make in STANDING)
    assert len(pictures) == low - 2  # two windows
    assert len(changed) == len(walls) + len(pictures)
    assert {round(float(np.linalg.norm(wall.edge_u)), 6) for wall in walls} == {
        round(length, 6) for length in room.size[:2]
    }
    for one, other in zip(room.surfaces, double.surfaces, strict=True):
        assert one.texture.shape == other.texture.shape
        assert (one.corner == other.corner).all()


def test_each_seed_has_other_walls():
    room = random_room(601)
    one, same, other = (with_other_walls(room, seed) for seed in (1, 1, 2))
    (index, *_) = [k for k, surface in enumerate(room.surfaces) if is_wall(surface, room)]
    assert np.array_equal(one.surfaces[index].texture, same.surfaces[index].texture)
    assert not np.array_equal(one.surfaces[index].texture, other.surfaces[index].texture)
