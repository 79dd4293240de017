"""Wall time of the steps of a frame, and the end of its patience."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from dense_reloc_ros.errors import TimeLimitError


class Stopwatch:
    """Adds up milliseconds by stage; waits for the GPU at the end of each where there is one.

    With `most_seconds` no stage begins later than that after the stopwatch was made.
    """

    def __init__(self, device: torch.device, most_seconds: float | None = None) -> None:
        self._device = device
        self._most_seconds = most_seconds
        self._started = time.perf_counter()
        self.milliseconds: dict[str, float] = {}

    def begin(self) -> None:
        """Counts the time after which no stage begins from now on."""
        self._started = time.perf_counter()

    def add(self, name: str, milliseconds: float) -> None:
        """Adds to a stage what was not timed here."""
        self.milliseconds[name] = self.milliseconds.get(name, 0.0) + milliseconds

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Times what happens inside the `with` block, which profilers show by the name.

        Raises:
            TimeLimitError: the time is over; says how long that was.
        """
        start = time.perf_counter()
        if self._most_seconds is not None and start - self._started > self._most_seconds:
            raise TimeLimitError(
                f"given up before '{name}' after {self._most_seconds:g} s, the frame's "
                "max_frame_seconds"
            )
        try:
            with torch.profiler.record_function(name):
                yield
        finally:
            if self._device.type == "cuda":
                torch.cuda.synchronize(self._device)
            self.add(name, (time.perf_counter() - start) * 1000)
