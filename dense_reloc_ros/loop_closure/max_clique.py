"""The largest clique of a graph, by branch and bound with greedy colouring (Tomita 2003)."""

from __future__ import annotations

import numpy as np

from dense_reloc_ros.geometry.arrays import Mask

DEFAULT_STEPS = 200_000


class _Search:
    """Sets of vertices are the bits of integers."""

    def __init__(self, neighbours: list[int], steps: int) -> None:
        self.neighbours = neighbours
        self.steps = steps
        self.best: list[int] = []

    def expand(self, clique: list[int], candidates: int) -> None:
        """Looks for a larger clique among those that hold `clique`, from candidates for it."""
        order, colours = self._coloured(candidates)
        for vertex, colour in zip(reversed(order), reversed(colours), strict=True):
            if len(clique) + colour <= len(self.best) or self.steps <= 0:
                return
            self.steps -= 1
            clique.append(vertex)
            rest = candidates & self.neighbours[vertex]
            if rest:
                self.expand(clique, rest)
            elif len(clique) > len(self.best):
                self.best = clique.copy()
            clique.pop()
            candidates &= ~(1 << vertex)

    def _coloured(self, candidates: int) -> tuple[list[int], list[int]]:
        """Candidates by the number of colours that they and those before them need.

        No clique of them is larger than that number, since no two of a colour are neighbours.
        """
        order, colours, colour = [], [], 0
        while candidates:
            colour += 1
            of_colour = candidates
            while of_colour:
                vertex = (of_colour & -of_colour).bit_length() - 1
                order.append(vertex)
                colours.append(colour)
                candidates &= ~(1 << vertex)
                of_colour &= ~(1 << vertex) & ~self.neighbours[vertex]
        return order, colours


def largest_clique(adjacency: Mask, steps: int = DEFAULT_STEPS) -> Mask:
    """(N,) which vertices are in a largest clique of a graph, by its (N, N) symmetric adjacency.

    The search ends after so many steps with the largest one found until then: the first one is
    already that of a greedy search by degree.
    """
    degrees = np.count_nonzero(adjacency, axis=1)
    ranks = np.argsort(-degrees, kind="stable")
    ordered = adjacency[np.ix_(ranks, ranks)]
    neighbours = [
        sum(1 << int(j) for j in np.flatnonzero(row) if j != i) for i, row in enumerate(ordered)
    ]
    search = _Search(neighbours, steps)
    search.expand([], (1 << len(neighbours)) - 1)
    found = np.zeros(len(adjacency), dtype=bool)
    found[ranks[search.best]] = True
    return found
