"""The largest clique of a graph, by branch and bound with greedy colouring (Tomita 2003).

Sets of vertices are the bits of integers.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dense_reloc_ros.geometry.arrays import Mask

DEFAULT_WORK = 5_000_000
"""Some seconds."""


@dataclass
class _Branch:
    """Vertices that a clique can grow by, those last that may be in the largest one."""

    candidates: int
    order: list[int]
    colours: list[int]
    """No clique of a vertex and those before it is larger than its number."""


def largest_clique(adjacency: Mask, work: int = DEFAULT_WORK) -> Mask:
    """(N,) which vertices are in a largest clique of a graph, by its (N, N) symmetric adjacency.

    The search ends when so many vertices were coloured, with the largest one found until then: it
    begins with a greedy search by degree.
    """
    ranks = np.argsort(-np.count_nonzero(adjacency, axis=1), kind="stable")
    neighbours = [
        sum(1 << int(j) for j in np.flatnonzero(row) if j != i)
        for i, row in enumerate(adjacency[np.ix_(ranks, ranks)])
    ]
    found = np.zeros(len(adjacency), dtype=bool)
    found[ranks[_search(neighbours, work)]] = True
    return found


def _search(neighbours: list[int], work: int) -> list[int]:
    """The vertices of the largest clique, by the neighbours of each vertex."""
    best: list[int] = []
    clique: list[int] = []
    branches = [_coloured((1 << len(neighbours)) - 1, neighbours)]
    while branches:
        branch = branches[-1]
        if not branch.order or len(clique) + branch.colours[-1] <= len(best) or work <= 0:
            branches.pop()
            del clique[len(branches) - 1 :]
            continue
        branch.colours.pop()
        vertex = branch.order.pop()
        rest = branch.candidates & neighbours[vertex]
        branch.candidates &= ~(1 << vertex)
        clique.append(vertex)
        if len(clique) > len(best):
            best = clique.copy()
        branches.append(_coloured(rest, neighbours))
        work -= len(branches[-1].order) + 1
    return best


def _coloured(candidates: int, neighbours: list[int]) -> _Branch:
    """The candidates by the number of colours that they and those before them need.

    Neighbours get different colours, so a clique needs as many as it has vertices.
    """
    order, colours, colour, uncoloured = [], [], 0, candidates
    while uncoloured:
        colour += 1
        possible = uncoloured
        while possible:
            vertex = (possible & -possible).bit_length() - 1
            order.append(vertex)
            colours.append(colour)
            uncoloured &= ~(1 << vertex)
            possible &= ~(1 << vertex) & ~neighbours[vertex]
    return _Branch(candidates, order, colours)
