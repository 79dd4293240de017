"""Places among keyframes that see points in common."""

from __future__ import annotations

from retrieval.tiny_map import tiny_map

from dense_reloc_ros.retrieval.covisibility import covisibility_clusters

SEEN = [
    [0, 1, 2, 3],
    [10, 11, 12],
    [2, 3, 4, 5],
    [4, 5, 6, 7],
    [10, 11, 3],
    [20],
]
"""0-2-3 hang together by two points each, 1-4 too, 4 shares one point with 0; 5 is alone."""


def test_places_come_in_the_order_of_their_best_keyframe():
    clusters = covisibility_clusters(tiny_map(SEEN), [4, 3, 0, 5, 1, 2], 2)
    assert clusters == [[4, 1], [3, 0, 2], [5]]


def test_a_link_needs_all_its_keyframes():
    """Without keyframe 2 nothing connects 0 and 3."""
    assert covisibility_clusters(tiny_map(SEEN), [0, 3], 2) == [[0], [3]]


def test_fewer_common_points_make_larger_places():
    clusters = covisibility_clusters(tiny_map(SEEN), [0, 1, 2, 3, 4, 5], 1)
    assert clusters == [[0, 1, 2, 3, 4], [5]]


def test_more_common_points_than_any_share_leave_each_alone():
    assert covisibility_clusters(tiny_map(SEEN), [3, 0], 9) == [[3], [0]]
