"""Copies of a map are one map of many places, of which the first is the map itself."""

from __future__ import annotations

import pytest
import torch
from scene.small_map import make_map
from torch.nn.functional import normalize

from dense_reloc_ros.mapping.side_by_side import MARGIN, side_by_side
from dense_reloc_ros.scene.layout import stored_tensors
from dense_reloc_ros.scene.validation import check_tensors

COPIES = 5


@pytest.fixture(scope="module")
def scene_map():
    return make_map()


@pytest.fixture(scope="module")
def large(scene_map):
    return side_by_side(scene_map, COPIES)


def test_they_are_a_valid_map_that_begins_with_the_map_itself(scene_map, large):
    check_tensors(large.information, stored_tensors(large))
    count = scene_map.keyframe_count
    assert large.keyframe_count == COPIES * count
    for name, tensor in stored_tensors(scene_map).items():
        torch.testing.assert_close(stored_tensors(large)[name][: len(tensor)], tensor)


def test_each_sees_its_own_points_as_the_map_does_its(scene_map, large):
    count, observed = scene_map.keyframe_count, len(scene_map.observation_points)
    for copy in range(COPIES):
        first = large.keyframe_poses[copy * count]
        offset = (first - scene_map.keyframe_poses[0])[:3, 3]
        points = large.points[large.observation_points[copy * observed : (copy + 1) * observed]]
        expected = scene_map.points[scene_map.observation_points] + offset.float()
        torch.testing.assert_close(points, expected)
        assert large.observations(copy * count).start == copy * observed


def test_they_stand_apart(scene_map, large):
    low, high = scene_map.points.aminmax(dim=0)
    corners = large.keyframe_poses[:: scene_map.keyframe_count, :2, 3]
    apart = (corners[:, None] - corners).abs() / (high - low)[:2].double()
    others = ~torch.eye(COPIES, dtype=torch.bool)
    assert apart.amax(-1)[others].min() >= MARGIN - 1e-6


def test_each_looks_like_itself_and_like_no_other(scene_map, large):
    vectors = normalize(scene_map.descriptors["coarse"][:].float(), dim=1)
    of_all = normalize(large.descriptors["coarse"][:].float(), dim=1).view(COPIES, *vectors.shape)
    for copy, own in enumerate(of_all):
        torch.testing.assert_close(own @ own.T, vectors @ vectors.T, atol=3e-3, rtol=0)
        same = (own * vectors).sum(-1)
        assert same.min() > 0.99 if copy == 0 else same.abs().mean() < 0.6
