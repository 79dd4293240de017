"""Which camera of a rig hangs elsewhere than its extrinsics say, by many images."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping

import numpy as np

from dense_reloc_ros.geometry.arrays import FloatArray

LEAST_IMAGES = 10
"""Of a camera, before anything is said about it."""
REMEMBERED = 40
LEAST_DEGREES = 0.5
LEAST_METRES = 0.02
"""What is less may be the map's own errors, which look alike in many images."""
DEVIATIONS = 4.0
"""Standard errors of the median that an error must exceed."""


class MountingMonitor:
    """Takes the medians of what single images say, each of which is a few centimetres off."""

    def __init__(self) -> None:
        self._errors: dict[str, deque[FloatArray]] = {}

    def add(self, errors: Mapping[str, FloatArray]) -> None:
        """Takes note of the errors (6,) that cameras have in one set of images."""
        for name, error in errors.items():
            self._errors.setdefault(name, deque(maxlen=REMEMBERED)).append(error)

    def clear(self) -> None:
        """Forgets everything."""
        self._errors.clear()

    @property
    def complaint(self) -> str:
        """About the camera that is off the most; empty where none is."""
        found = [(self._typical(name), name) for name in self._errors]
        off = [(error, name) for error, name in found if error is not None]
        if not off:
            return ""
        (metres, degrees), name = max(off, key=lambda one: one[0][0] / 0.1 + one[0][1])
        return (
            f"camera '{name}' sees the map from a pose that is {degrees:.1f} degrees and "
            f"{metres:.2f} m off what its extrinsics say, against the other cameras: calibrate it, "
            "or correct its transform on TF"
        )

    def _typical(self, name: str) -> tuple[float, float] | None:
        """Metres and degrees by which a camera is off in most images, if it is."""
        errors = np.array(self._errors[name])
        if len(errors) < LEAST_IMAGES:
            return None
        median = np.median(errors, axis=0)
        spread = 1.4826 * np.median(np.abs(errors - median), axis=0)
        is_sure = np.abs(median) > DEVIATIONS * 1.25 * spread / np.sqrt(len(errors))
        metres = float(np.linalg.norm(median[:3] * is_sure[:3]))
        degrees = float(np.degrees(np.linalg.norm(median[3:] * is_sure[3:])))
        return (metres, degrees) if degrees > LEAST_DEGREES or metres > LEAST_METRES else None
