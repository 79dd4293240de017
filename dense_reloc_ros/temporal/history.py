"""What is remembered of a video: the newest localized frame, and how the camera moved lately."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import torch

from dense_reloc_ros.features.extractor import DenseFeatures
from dense_reloc_ros.localization import FloatArray
from dense_reloc_ros.temporal.frames import LocalizedFrame
from dense_reloc_ros.temporal.motion import TimedPose, propagate

NANOSECONDS = 1_000_000_000
VELOCITY_SECONDS = 0.3
"""Over which the camera's velocity is taken: long against the noise of poses, short for hands."""
MOST_POSES = 64
"""However fast a camera is."""


@dataclass(frozen=True)
class PreviousFrame:
    """The newest frame whose pose was accepted."""

    frame: LocalizedFrame
    T_map_camera: FloatArray
    keyframes: tuple[int, ...]
    """That it was localized against."""


class History:
    """The past of one camera; bounded in time and in number."""

    def __init__(self) -> None:
        self._poses: deque[TimedPose] = deque(maxlen=MOST_POSES)
        self._previous: PreviousFrame | None = None
        self._newest_stamp: int | None = None
        self._newest_features: DenseFeatures | None = None

    def see(self, frame: LocalizedFrame) -> bool:
        """Takes note of a frame; whether it is new, not the same picture as the one before.

        Drivers repeat pictures under new stamps; those are no new evidence. A frame that is not
        later than the one before begins a new history.
        """
        if self._newest_stamp is not None and frame.stamp <= self._newest_stamp:
            self.clear()
        before, self._newest_features = self._newest_features, frame.features
        self._newest_stamp = frame.stamp
        return before is None or not _same(before, frame.features)

    def accept(self, previous: PreviousFrame) -> None:
        """Remembers a frame whose pose is believed."""
        frame = previous.frame
        self._previous = previous
        self._poses.append(TimedPose(frame.stamp, previous.T_map_camera, frame.T_odom_camera))
        while frame.stamp - self._poses[0].stamp > VELOCITY_SECONDS * NANOSECONDS:
            self._poses.popleft()

    def previous(self, stamp: int, max_age: float) -> PreviousFrame | None:
        """The newest accepted frame if it is at most `max_age` seconds old."""
        previous = self._previous
        if previous is None or stamp - previous.frame.stamp > max_age * NANOSECONDS:
            return None
        return previous

    def predict(self, stamp: int, T_odom_camera: FloatArray | None) -> FloatArray:
        """T_map_camera (4, 4) at a time after the previous frame, which there must be."""
        return propagate(self._poses[0], self._poses[-1], stamp, T_odom_camera)

    def clear(self) -> None:
        """Forgets everything."""
        self._poses.clear()
        self._previous = self._newest_stamp = self._newest_features = None


def _same(first: DenseFeatures, second: DenseFeatures) -> bool:
    a, b = first.levels["coarse"].values, second.levels["coarse"].values
    return a.shape == b.shape and torch.equal(a, b)
