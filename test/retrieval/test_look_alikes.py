"""Keyframes of other places that an image looks like, on maps of a few points."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from retrieval.tiny_map import tiny_map

from dense_reloc_ros.configuration import RetrievalConfiguration
from dense_reloc_ros.geometry.camera import Camera
from dense_reloc_ros.retrieval.look_alikes import look_alikes
from dense_reloc_ros.retrieval.ranked_keyframes import RankedKeyframes
from dense_reloc_ros.scene.scene_map import SceneMap

CAMERA = Camera(100, 100, 50.0, 50.0, 49.5, 49.5)
IN_SIGHT, OUT_OF_SIGHT = (0.0, 0.0, 2.0), (0.0, 0.0, -2.0)
"""Of a camera at the origin."""


def keyframes(*seen: tuple[int, int]) -> SceneMap:
    """Keyframes that see so many points that are in sight, and so many that are not."""
    counts = [inside + outside for inside, outside in seen]
    starts = np.cumsum([0, *counts])
    observed = [
        list(range(start, start + count)) for start, count in zip(starts, counts, strict=False)
    ]
    points = [
        place
        for inside, outside in seen
        for place in [IN_SIGHT] * inside + [OUT_OF_SIGHT] * outside
    ]
    return replace(tiny_map(observed), points=torch.tensor(points))


def ranked(scene_map: SceneMap, *correlations: list[float]) -> RankedKeyframes:
    """All keyframes, of whose points the image has so much, in this order."""
    most = max(map(len, correlations))
    observations = np.full((len(correlations), most), -1)
    values = np.zeros((len(correlations), most), np.float32)
    for keyframe, own in enumerate(correlations):
        slots = scene_map.observations(keyframe)
        observations[keyframe, : len(own)] = np.arange(slots.start, slots.stop)
        values[keyframe, : len(own)] = own
    evidence = torch.tensor([float(np.mean(own)) for own in correlations])
    return RankedKeyframes(torch.arange(len(correlations)), evidence, observations, values)


def found(scene_map: SceneMap, *correlations: list[float]) -> list[int]:
    options = RetrievalConfiguration(common_points=1)
    return look_alikes(ranked(scene_map, *correlations), scene_map, options, np.eye(4), CAMERA)


@pytest.mark.parametrize(("unseen", "expected"), [(0.71, []), (0.73, [1])])
def test_what_is_out_of_sight_must_look_nearly_as_much_like_the_image_as_anything(unseen, expected):
    """The first keyframe has an evidence of 0.8; what of the second is in sight does not count."""
    scene_map = keyframes((4, 0), (1, 3))
    assert found(scene_map, [0.8] * 4, [0.1] + [unseen] * 3) == expected


@pytest.mark.parametrize(("inside", "expected"), [(3, []), (2, [0]), (0, [0])])
def test_a_keyframe_of_which_most_is_in_sight_says_nothing(inside, expected):
    scene_map = keyframes((inside, 4 - inside))
    assert found(scene_map, [0.8] * 4) == expected


def test_the_place_that_looks_most_like_the_image_by_what_is_out_of_sight_is_given():
    """They have no points in common, so that they are not of one place."""
    scene_map = keyframes((2, 2), (0, 4))
    assert found(scene_map, [0.9, 0.9, 0.75, 0.75], [0.78] * 4) == [1]


def test_nothing_looks_like_an_image_for_which_nothing_was_retrieved():
    scene_map = keyframes((2, 2))
    none = RankedKeyframes.none()
    assert look_alikes(none, scene_map, RetrievalConfiguration(), np.eye(4), CAMERA) == []
