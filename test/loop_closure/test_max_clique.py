from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dense_reloc_ros.loop_closure.max_clique import largest_clique


def graph(size, edges):
    adjacency = np.eye(size, dtype=bool)
    for a, b in edges:
        adjacency[a, b] = adjacency[b, a] = True
    return adjacency


def is_clique(adjacency, vertices):
    return all(adjacency[a, b] for a, b in combinations(vertices, 2))


def largest_by_brute_force(adjacency):
    size = len(adjacency)
    return max(
        count
        for count in range(size + 1)
        for vertices in combinations(range(size), count)
        if is_clique(adjacency, vertices)
    )


@st.composite
def graphs(draw):
    size = draw(st.integers(1, 10))
    pairs = list(combinations(range(size), 2))
    return graph(size, [pair for pair in pairs if draw(st.booleans())])


@settings(max_examples=200, deadline=None)
@given(graphs())
def test_is_as_large_as_brute_force_finds(adjacency):
    found = largest_clique(adjacency)
    assert is_clique(adjacency, np.flatnonzero(found))
    assert found.sum() == largest_by_brute_force(adjacency)


def test_finds_a_clique_hidden_in_a_large_graph():
    rng = np.random.default_rng(0)
    upper = np.triu(rng.random((150, 150)) < 0.3, k=1)
    hidden = rng.choice(150, 20, replace=False)
    upper[np.ix_(hidden, hidden)] = True
    found = largest_clique(upper | upper.T)
    assert set(np.flatnonzero(found)) == set(hidden)


def test_a_nearly_complete_graph_loses_one_vertex_of_each_missing_edge():
    adjacency = np.ones((200, 200), dtype=bool)
    for a in range(0, 40, 2):
        adjacency[a, a + 1] = adjacency[a + 1, a] = False
    found = largest_clique(adjacency)
    assert found.sum() == 180
    assert is_clique(adjacency, np.flatnonzero(found))


def test_no_vertices_have_no_clique():
    assert largest_clique(np.zeros((0, 0), dtype=bool)).shape == (0,)


@pytest.mark.parametrize("work", [0, 1, 100])
def test_ends_after_its_work_with_a_clique(work):
    adjacency = np.random.default_rng(1).random((60, 60)) < 0.8
    adjacency = adjacency & adjacency.T
    found = np.flatnonzero(largest_clique(adjacency, work))
    assert is_clique(adjacency, found)
    assert min(work, 1) <= len(found) <= work


def test_a_clique_may_be_larger_than_pythons_stack():
    assert largest_clique(np.ones((1500, 1500), dtype=bool)).all()
