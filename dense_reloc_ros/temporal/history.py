"""What is remembered of a video: the newest frame, and the newest ones that were localized."""

from __future__ import annotations

from collections import deque
from typing import Generic, TypeVar

import torch

from dense_reloc_ros.features.extractor import DenseFeatures
from dense_reloc_ros.stamps import NANOSECONDS

Frame = TypeVar("Frame")
"""What is remembered of a frame whose pose was accepted."""


class History(Generic[Frame]):
    """The past of one camera: few frames. Stamps are in nanoseconds."""

    def __init__(self, count: int = 1) -> None:
        """`count` accepted frames are remembered at most."""
        self._newest: tuple[int, DenseFeatures | None] | None = None
        self._accepted: deque[tuple[int, Frame]] = deque(maxlen=count)

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
        self._accepted.appendleft((stamp, frame))

    def earlier(self, stamp: int, max_age: float) -> list[Frame]:
        """The accepted frames that are at most `max_age` seconds old, the newest first."""
        least = stamp - max_age * NANOSECONDS
        return [frame for taken, frame in self._accepted if taken >= least]

    def previous(self, stamp: int, max_age: float) -> Frame | None:
        """The newest accepted frame if it is at most `max_age` seconds old."""
        return next(iter(self.earlier(stamp, max_age)), None)

    def clear(self) -> None:
        """Forgets everything."""
        self._newest = None
        self._accepted.clear()


def _same(first: DenseFeatures | None, second: DenseFeatures | None) -> bool:
    if first is None or second is None:
        return False
    a, b = first.levels["coarse"].values, second.levels["coarse"].values
    return a.shape == b.shape and torch.equal(a, b)
