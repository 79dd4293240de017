"""DSM on a video: each image also correlated with the one localized before it (paper 3.3.1)."""

from __future__ import annotations

from dense_reloc_ros.dsm.scene_views import PreviousFrame
from dense_reloc_ros.geometry.arrays import RgbImage
from dense_reloc_ros.geometry.camera import Camera
from dense_reloc_ros.localization.dense_scene_matching import DsmLocalizer
from dense_reloc_ros.localization.result import Localization
from dense_reloc_ros.temporal.fusion_configuration import TemporalConfiguration
from dense_reloc_ros.temporal.history import History


class DsmVideo:
    """Remembers the last localized image of a video. One caller at a time."""

    def __init__(
        self, localizer: DsmLocalizer, max_age: float = TemporalConfiguration().max_age
    ) -> None:
        """`max_age`: seconds for which an image helps later ones."""
        self._localizer = localizer
        self._max_age = max_age
        self._history: History[PreviousFrame] = History()

    def reset(self) -> None:
        """Forgets what was before, as at the beginning of another video."""
        self._history.clear()

    def localize(self, image: RgbImage, camera: Camera, stamp: int) -> Localization:
        """As `Localizer.localize`; of an image taken at a time in nanoseconds.

        An image that was not localized leaves the one before it in use until it is too old. An
        image that is not later than the last one begins another video.
        """
        if not self._history.goes_on(stamp):
            self.reset()
        self._history.see(stamp)
        previous = self._history.previous(stamp, self._max_age)
        matched = self._localizer.localize_after(previous, image, camera)
        if matched.as_previous is not None:
            self._history.accept(stamp, matched.as_previous)
        return matched.localization
