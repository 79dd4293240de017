"""The images of a robot's other cameras that were taken with one of the main camera."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from threading import Condition

from rclpy.node import Node

from dense_reloc_ros.bags.cameras import info_topic_beside
from dense_reloc_ros.nodes.camera_input import CameraInput, Frame
from dense_reloc_ros.nodes.reporting import ChangeReporter
from dense_reloc_ros.stamps import NANOSECONDS

KEPT = 8
"""Images of each camera: the main camera's may come later than theirs."""
SILENCE_SECONDS = 1.0
"""Without the main camera, from which on another one takes its place."""
SILENCE = round(SILENCE_SECONDS * NANOSECONDS)


class OtherCameras:
    """Remembers the last images of the other cameras, any of which may be missing.

    Where the main camera is silent, `on_frame` gets the images of the first one that is not.
    """

    def __init__(
        self,
        node: Node,
        topics: Sequence[str],
        image_transport: str,
        main: CameraInput,
        is_wanted: Callable[[], bool],
        on_frame: Callable[[Frame], None],
        max_rate: Callable[[], float],
        reporter: ChangeReporter,
    ) -> None:
        self._main = main
        self._is_wanted = is_wanted
        self._on_frame = on_frame
        self._max_rate = max_rate
        self._last_handed_on: int | None = None
        self._came = Condition()
        self._begins: dict[int, int] = {}
        """Stamps of the first image of each."""
        self._frames: list[deque[Frame]] = [deque(maxlen=KEPT) for _ in topics]
        self._cameras = [
            CameraInput(
                node,
                image_transport,
                lambda: 0.0,
                lambda: True,
                self._taker(number),
                self._frames[number].clear,
                reporter,
                topic,
                info_topic_beside(topic),
            )
            for number, topic in enumerate(topics)
        ]

    def __len__(self) -> int:
        return len(self._cameras)

    def close(self) -> None:
        """Stops listening."""
        for camera in self._cameras:
            camera.close()

    @property
    def silent(self) -> list[str]:
        """The topics of cameras that do not send images."""
        since = time.monotonic() - SILENCE_SECONDS
        return [camera.image_topic for camera in self._cameras if camera.last_received < since]

    @property
    def last_received(self) -> float:
        """When the last image of any of them came, by the monotonic clock."""
        return max((camera.last_received for camera in self._cameras), default=0.0)

    def beside(self, frame: Frame, tolerance: float) -> list[Frame]:
        """The images taken with a frame, one at most of each camera, `tolerance` seconds apart.

        Images of cameras that send some are waited for, until they are late by the tolerance.
        """
        ends = frame.received + tolerance
        with self._came:
            while self._may_still_come(frame) and (left := ends - time.monotonic()) > 0:
                self._came.wait(left)
            nearest = [self._nearest(frames, frame) for frames in self._frames]
        limit = tolerance * NANOSECONDS
        return [
            one
            for one in nearest
            if one is not None and one is not frame and abs(one.stamp - frame.stamp) <= limit
        ]

    def _may_still_come(self, frame: Frame) -> bool:
        """Whether a camera that is not silent has nothing from the time of a frame on."""
        return any(
            frames and 0 < frame.stamp - frames[-1].stamp < SILENCE for frames in self._frames
        )

    def _nearest(self, frames: deque[Frame], frame: Frame) -> Frame | None:
        """The one of a camera's images taken nearest to a frame; None where that is of it."""
        if any(one is frame for one in frames):
            return None
        return min(frames, key=lambda one: abs(one.stamp - frame.stamp), default=None)

    def _taker(self, number: int) -> Callable[[Frame], None]:
        def take(frame: Frame) -> None:
            with self._came:
                frames = self._frames[number]
                before = frames[-1] if frames else None
                frames.append(frame)
                self._came.notify_all()
            if self._stands_in(number, before) and self._is_due(frame.stamp):
                self._last_handed_on = frame.stamp
                self._on_frame(frame)

        return take

    def _stands_in(self, number: int, before: Frame | None) -> bool:
        """Whether the main camera and those before this one are silent for long already at the
        image `before` the newest of this one.

        By the stamps, as recordings may be played slower than they were taken; and not by the
        newest, as the others' may only come after it.
        """
        if before is None:
            return False
        begins = min(before.stamp, self._begins.get(number, before.stamp))
        self._begins[number] = begins
        newest = [camera.newest for camera in (self._main, *self._cameras[:number])]
        last = [begins if frame is None else frame.stamp for frame in newest]
        return self._is_wanted() and all(before.stamp - stamp > SILENCE for stamp in last)

    def _is_due(self, stamp: int) -> bool:
        rate = self._max_rate()
        if rate <= 0 or self._last_handed_on is None or stamp < self._last_handed_on:
            return True
        return stamp - self._last_handed_on >= 0.9 * NANOSECONDS / rate
