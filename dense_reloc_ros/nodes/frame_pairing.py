"""Which camera_info belongs to which image, and which images have got lost; by stamps alone."""

from __future__ import annotations

from bisect import bisect_right, insort
from collections import deque
from threading import Lock
from typing import Generic, TypeVar

Info = TypeVar("Info")
KEPT = 60
"""Stamps and camera_infos: two seconds of a usual camera."""
UNDER_WAY = 10
"""The newest camera_infos, whose images may still come."""
JUDGED = 20
"""Camera_infos that are needed to say that images are missing."""
LARGEST_LOSS = 0.3
"""Share of images without which a camera is still well: one now and then is lost everywhere."""


class FramePairing(Generic[Info]):
    """Remembers the newest camera_infos, and the stamps of images; stamps are nanoseconds.

    A stamp of 0 is unset: such a camera_info holds for all images until another one comes. Safe to
    use from several threads.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._stamps: list[int] = []
        self._infos: dict[int, Info] = {}
        self._unstamped: Info | None = None
        self._arrived: deque[int] = deque(maxlen=KEPT)
        self._images: deque[int] = deque(maxlen=KEPT)

    def add_info(self, stamp: int, info: Info) -> None:
        """Takes a camera_info."""
        with self._lock:
            if stamp == 0:
                self._unstamped = info
                return
            if stamp not in self._infos:
                insort(self._stamps, stamp)
                self._arrived.append(stamp)
            self._infos[stamp] = info
            if len(self._stamps) > KEPT:
                # The oldest by arrival, not by time, which may have been set back.
                self._stamps = sorted(self._arrived)
                self._infos = {kept: self._infos[kept] for kept in self._stamps}

    def add_image(self, stamp: int) -> None:
        """Takes note of an image that came."""
        self._images.append(stamp)

    def has_own(self, stamp: int) -> bool:
        """Whether there is a camera_info of an image's stamp."""
        return stamp in self._infos

    def info_for(self, stamp: int) -> Info | None:
        """The camera_info of an image's stamp, or else the last one before it; None without any.

        Where none is before it, the first one after it.
        """
        with self._lock:
            if stamp in self._infos:
                return self._infos[stamp]
            if self._unstamped is not None or not self._stamps:
                return self._unstamped
            return self._infos[self._stamps[max(bisect_right(self._stamps, stamp) - 1, 0)]]

    @property
    def newest(self) -> Info | None:
        """The camera_info of the highest stamp, None without any."""
        with self._lock:
            return self._infos[self._stamps[-1]] if self._stamps else self._unstamped

    @property
    def lost(self) -> tuple[int, int]:
        """How many of how many recent camera_infos have no image; none where they are too few, or
        where none has one: then their stamps are not those of the images.

        Camera_infos are small and come through where images do not.
        """
        judged, images = list(self._arrived)[:-UNDER_WAY], set(self._images)
        lost = sum(stamp not in images for stamp in judged)
        return (lost, len(judged)) if len(judged) >= JUDGED and lost < len(judged) else (0, 0)
