"""DSM on a video: each image also correlated with the one localized before it (paper 3.3.1)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dense_reloc_ros.dsm.scene_views import PreviousFrame
from dense_reloc_ros.geometry.camera import Camera
from dense_reloc_ros.localization.dense_scene_matching import DsmLocalizer
from dense_reloc_ros.localization.result import Localization
from dense_reloc_ros.temporal.fusion_configuration import TemporalConfiguration

NANOSECONDS = 1_000_000_000


class DsmVideo:
    """Remembers the last localized image of a video. One caller at a time."""

    def __init__(
        self, localizer: DsmLocalizer, max_age: float = TemporalConfiguration().max_age
    ) -> None:
        """`max_age`: seconds for which an image helps later ones."""
        self._localizer = localizer
        self._max_age = max_age
        self._previous: PreviousFrame | None = None
        self._stamp = 0
        """Nanoseconds, of the previous image."""

    def reset(self) -> None:
        """Forgets what was before, as at the beginning of another video."""
        self._previous = None

    def localize(self, image: NDArray[np.uint8], camera: Camera, stamp: int) -> Localization:
        """As `Localizer.localize`; of an image taken at a time in nanoseconds.

        An image that was not localized leaves the one before it in use until it is too old. An
        image that is not later than the last one begins another video.
        """
        if not 0 < stamp - self._stamp <= self._max_age * NANOSECONDS:
            self.reset()
        matched = self._localizer.localize_after(self._previous, image, camera)
        if matched.as_previous is not None:
            self._previous, self._stamp = matched.as_previous, stamp
        return matched.localization
