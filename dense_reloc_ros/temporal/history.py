"""What is remembered of a video: the newest frame, and the newest one that was localized."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from dense_reloc_ros.features.extractor import DenseFeatures
from dense_reloc_ros.geometry.camera import Camera
from dense_reloc_ros.localization.result import PoseEstimate
from dense_reloc_ros.temporal.fused_frames import LocalizedFrame

NANOSECONDS = 1_000_000_000


@dataclass(frozen=True)
class PreviousFrame:
    """A frame whose pose was accepted."""

    stamp: int
    """Nanoseconds."""
    camera: Camera
    features: DenseFeatures
    estimate: PoseEstimate
    """As it was published."""


class History:
    """The past of one camera: two frames at most."""

    def __init__(self) -> None:
        self._newest: LocalizedFrame | None = None
        self._accepted: PreviousFrame | None = None

    def goes_on(self, stamp: int) -> bool:
        """Whether a frame of this time is later than all before."""
        return self._newest is None or stamp > self._newest.stamp

    def see(self, frame: LocalizedFrame) -> bool:
        """Takes note of a frame; whether it is new, not the same picture as the one before.

        Drivers repeat pictures under new stamps; those are no new evidence.
        """
        before, self._newest = self._newest, frame
        return before is None or not _same(before.features, frame.features)

    def accept(self, frame: LocalizedFrame, estimate: PoseEstimate) -> None:
        """Remembers a frame whose pose is believed."""
        if frame.features is not None:
            self._accepted = PreviousFrame(frame.stamp, frame.camera, frame.features, estimate)

    def previous(self, stamp: int, max_age: float) -> PreviousFrame | None:
        """The newest accepted frame if it is at most `max_age` seconds old."""
        accepted = self._accepted
        if accepted is None or stamp - accepted.stamp > max_age * NANOSECONDS:
            return None
        return accepted

    def clear(self) -> None:
        """Forgets everything."""
        self._newest = self._accepted = None


def _same(first: DenseFeatures | None, second: DenseFeatures | None) -> bool:
    if first is None or second is None:
        return False
    a, b = first.levels["coarse"].values, second.levels["coarse"].values
    return a.shape == b.shape and torch.equal(a, b)
