"""What is remembered of a video: the newest frame, and the newest one that was localized."""

from __future__ import annotations

from typing import Generic, TypeVar

import torch

from dense_reloc_ros.features.extractor import DenseFeatures
from dense_reloc_ros.stamps import NANOSECONDS

Frame = TypeVar("Frame")
"""What is remembered of a frame whose pose was accepted."""


class History(Generic[Frame]):
    """The past of one camera: two frames at most. Stamps are in nanoseconds."""

    def __init__(self) -> None:
        self._newest: tuple[int, DenseFeatures | None] | None = None
        self._accepted: tuple[int, Frame] | None = None

    def goes_on(self, stamp: int) -> bool:
        """Whether a frame of this time is later than all before."""
        return self._newest is None or stamp > self._newest[0]

    def see(self, stamp: int, features: DenseFeatures | None = None) -> bool:
        """Takes note of a frame; whether it is new, not the same picture as the one before.

        Drivers repeat pictures under new stamps; those are no new evidence.
        """
        before, self._newest = self._newest, (stamp, features)
        return before is None or not _same(before[1], features)

    def accept(self, stamp: int, frame: Frame) -> None:
        """Remembers a frame whose pose is accepted."""
        self._accepted = stamp, frame

    def previous(self, stamp: int, max_age: float) -> Frame | None:
        """The newest accepted frame if it is at most `max_age` seconds old."""
        if self._accepted is None or stamp - self._accepted[0] > max_age * NANOSECONDS:
            return None
        return self._accepted[1]

    def clear(self) -> None:
        """Forgets everything."""
        self._newest = self._accepted = None


def _same(first: DenseFeatures | None, second: DenseFeatures | None) -> bool:
    if first is None or second is None:
        return False
    a, b = first.levels["coarse"].values, second.levels["coarse"].values
    return a.shape == b.shape and torch.equal(a, b)
