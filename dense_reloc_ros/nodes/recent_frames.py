"""The last frames of a camera, apart from each other so that they show more than one view."""

from __future__ import annotations

from typing import Generic, TypeVar

from dense_reloc_ros.stamps import NANOSECONDS

COUNT = 5
SPACING = NANOSECONDS // 2
"""Between two frames that are kept."""
Frame = TypeVar("Frame")


class RecentFrames(Generic[Frame]):
    """Keeps the newest frame and the newest ones before it that lie apart; any thread may look."""

    def __init__(self) -> None:
        self._kept: tuple[tuple[int, Frame], ...] = ()

    @property
    def frames(self) -> list[Frame]:
        """The newest one last."""
        return [frame for _, frame in self._kept]

    def add(self, stamp: int, frame: Frame) -> None:
        """Takes a frame that is newer than those before; `stamp` in nanoseconds."""
        kept = self._kept
        if len(kept) > 1 and kept[-1][0] - kept[-2][0] < SPACING:
            kept = kept[:-1]
        self._kept = (*kept[1 - COUNT :], (stamp, frame))

    def clear(self) -> None:
        """Lets go of all, as where time was set back."""
        self._kept = ()
