"""How the last seconds went, for the diagnostics."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass
from threading import Lock

import numpy as np

from dense_reloc_ros.localization.result import Localization, Status

WINDOW_SECONDS = 10.0


@dataclass(frozen=True)
class TimedFrame:
    """How long one frame took, and when (monotonic clock)."""

    time: float
    latency_milliseconds: float
    stage_milliseconds: Mapping[str, float]


class Statistics:
    """Counts frames and keeps the times of the last ones. Safe to use from several threads."""

    def __init__(self) -> None:
        self.last: Localization | None = None
        self._lock = Lock()
        self._recent: deque[TimedFrame] = deque()
        self._counts: Counter[Status] = Counter()
        self._last_reason = ""

    def add(self, localization: Localization, latency_seconds: float) -> None:
        """Records what became of a frame."""
        frame = TimedFrame(time.monotonic(), 1e3 * latency_seconds, localization.stage_milliseconds)
        with self._lock:
            self.last = localization
            self._counts[localization.status] += 1
            if not localization.is_localized:
                self._last_reason = localization.reason
            self._recent.append(frame)

    def values(self) -> dict[str, str]:
        """Counts, rate, latencies and the last rejection, by what they are called."""
        with self._lock:
            while self._recent and self._recent[0].time < time.monotonic() - WINDOW_SECONDS:
                self._recent.popleft()
            recent, counts, last_reason = list(self._recent), dict(self._counts), self._last_reason
        values = {
            "frames " + status.name.lower().replace("_", " "): str(counts.get(status, 0))
            for status in Status
        }
        values["answers per second"] = f"{len(recent) / WINDOW_SECONDS:.1f}"
        values["latency (median ms)"] = _median([frame.latency_milliseconds for frame in recent])
        for stage in dict.fromkeys(name for frame in recent for name in frame.stage_milliseconds):
            times = [frame.stage_milliseconds.get(stage, 0.0) for frame in recent]
            values[f"latency of {stage} (median ms)"] = _median(times)
        values["last rejection"] = last_reason
        return values


def _median(numbers: list[float]) -> str:
    return f"{np.median(numbers):.1f}" if numbers else "-"
