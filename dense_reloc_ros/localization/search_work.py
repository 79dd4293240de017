"""What the search for an image's pose costs: counted, so that results depend on no clock."""

from __future__ import annotations

from dataclasses import dataclass

NETWORK = 0.5
"""The features of a view as large as a keyframe."""
PLACE = 0.5
"""A place in which a pose is found, with all that makes and verifies it; others cost little."""
COARSE_POSE = 0.2
"""Its retrieval, too."""


@dataclass
class SearchWork:
    """Work in units of what an image costs that is localized in one view and place."""

    budget: float
    spent: float = 0.0

    def add(self, work: float) -> None:
        """Counts what is done."""
        self.spent += work

    @property
    def is_over(self) -> bool:
        """Whether nothing more may be begun."""
        return self.spent >= self.budget
