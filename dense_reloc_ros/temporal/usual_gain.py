"""Images that all at once show less of the map than those before: blurred, or in the dark.

Points of a blurred image err alike, by a part of the blur's length, but each is matched as exactly
as ever: the covariance of the pose knows nothing of it. What tells is that the points gain less.
"""

from __future__ import annotations

import math

from dense_reloc_ros.localization.result import PoseEstimate
from dense_reloc_ros.stamps import NANOSECONDS

STEEPNESS = 7.0
"""Of the doubt: an image that gains half of what is usual has a variance some 60 times as large."""
USUAL_SHARE = 0.9
"""Of the usual gain, down to which an image is as sharp as others."""
LARGEST_DOUBT = 1e4
MEMORY_SECONDS = 10.0
"""In which the usual gain falls to 37%, so that it becomes that of a darker place."""
LEAST_GAIN = 0.01


class UsualGain:
    """The largest mean gain of a video's images lately."""

    def __init__(self) -> None:
        self._usual = 0.0
        self._stamp: int | None = None

    def clear(self) -> None:
        """Forgets all images."""
        self._usual, self._stamp = 0.0, None

    def doubt(self, stamp: int, estimate: PoseEstimate | None) -> float:
        """What the covariance of a pose by the image of a time, in nanoseconds, is too small by.

        1 where nothing speaks against it, or nothing is known of the evidence for it. Images are
        told in the order of their time.
        """
        if estimate is None or estimate.evidence is None:
            return 1.0
        if self._stamp is not None:
            seconds = max(0.0, (stamp - self._stamp) / NANOSECONDS)
            self._usual *= math.exp(-seconds / MEMORY_SECONDS)
        gain = max(estimate.evidence.mean_gain, LEAST_GAIN)
        self._usual, self._stamp = max(self._usual, gain), stamp
        missing = max(1.0, USUAL_SHARE * self._usual / gain)
        return min(LARGEST_DOUBT, math.pow(missing, STEEPNESS))
