"""Bursts in a video of what makes single frames fail, with clear frames between them to recover.

The bursts are those of a seed: whatever runs on the same frames sees the same pixels. Within a
burst nothing jumps, as it is with a real camera: blur grows, turns and shrinks like a fast turn of
the head, and what is covered stays covered.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import cv2
import numpy as np

from dense_reloc_ros.geometry.arrays import Float32Array, RgbImage
from dense_reloc_ros.images.light_levels import (
    BOX_BRIGHTNESS,
    Conditions,
    expose,
    motion_kernel,
)

CLEAR_SECONDS = (0.3, 0.4)
"""Between two bursts, and before the first one: 4 to 6 frames of a video of 15 Hz."""
BLUR_TURN = np.pi / 2
"""Radians by which the direction of the blur turns in a burst at most."""
SIDES = ("left", "right", "top", "bottom")


@dataclass(frozen=True)
class Disturbance:
    """What happens in a burst."""

    seconds: tuple[float, float]
    """The shortest and the longest."""
    conditions: Conditions
    """At the worst; `blur` is its greatest length, in the middle of the burst."""
    half_covered: bool = False
    """Whether something grey hides one half of the image."""


DISTURBANCES: Mapping[str, Disturbance] = MappingProxyType(
    {
        "motion blur": Disturbance(
            (0.5, 1.0), Conditions(blur=120, gamma=1.0, gain=1.0, photons=4000, read_noise=0.004)
        ),
        "darkness": Disturbance(
            (0.5, 1.0), Conditions(blur=25, gamma=2.5, gain=0.006, photons=400, read_noise=0.012)
        ),
        "half covered": Disturbance(
            (0.5, 1.0),
            Conditions(blur=60, gamma=2.5, gain=0.03, photons=400, read_noise=0.012),
            half_covered=True,
        ),
        "black-out": Disturbance(
            (1.0, 1.0), Conditions(blur=1, gamma=1.0, gain=0.0, photons=400, read_noise=0.012)
        ),
    }
)


@dataclass(frozen=True)
class Burst:
    """Frames begin <= index < end of a video that are disturbed in the same way."""

    kind: str
    begin: int
    end: int
    blur_from: float
    """Direction of the blur in the first and in the last frame, radians."""
    blur_to: float
    side: str
    """Which half is covered, where one is."""
    cover_brightness: float
    """Relative to white."""

    def phase(self, index: int) -> float:
        """How far a frame is through the burst, above 0 and below 1."""
        return (index - self.begin + 0.5) / (self.end - self.begin)


def schedule(times: Sequence[float], seed: int) -> list[Burst]:
    """The bursts of a seed in a video with frames at `times`, ascending, in seconds.

    All kinds take their turns, in a random order that is another one in each round. The video
    begins and ends with clear frames.
    """
    rng = np.random.default_rng(seed)
    bursts: list[Burst] = []
    begin = times[0] + rng.uniform(*CLEAR_SECONDS)
    while True:
        for kind in rng.permutation(list(DISTURBANCES)):
            end = begin + rng.uniform(*DISTURBANCES[kind].seconds)
            direction = rng.uniform(0, np.pi)
            first, last = np.searchsorted(times, [begin, end])
            burst = Burst(
                kind=str(kind),
                begin=int(first),
                end=int(last),
                blur_from=direction,
                blur_to=direction + rng.uniform(-BLUR_TURN, BLUR_TURN),
                side=str(rng.choice(SIDES)),
                cover_brightness=rng.uniform(*BOX_BRIGHTNESS),
            )
            begin = end + rng.uniform(*CLEAR_SECONDS)
            if begin > times[-1]:
                return bursts
            if first < last:
                bursts.append(burst)


def disturb(image: RgbImage, burst: Burst, index: int, noise: Sequence[int]) -> RgbImage:
    """The image (H, W, 3) RGB as frame `index` of the video; `noise` seeds that of the sensor."""
    disturbance, phase = DISTURBANCES[burst.kind], burst.phase(index)
    conditions = disturbance.conditions
    length = 1 + round((conditions.blur - 1) * np.sin(np.pi * phase))
    direction = burst.blur_from + phase * (burst.blur_to - burst.blur_from)
    scene = image.astype(np.float32) / 255
    blurred = cv2.filter2D(scene, -1, motion_kernel(length, direction))
    light = conditions.gain * np.clip(blurred, 0, 1) ** conditions.gamma
    if disturbance.half_covered:
        _half(light, burst.side)[:] = conditions.gain * burst.cover_brightness
    return expose(light, conditions, np.random.default_rng(noise))


def _half(image: Float32Array, side: str) -> Float32Array:
    """A view of one half of (H, W, 3)."""
    height, width = image.shape[:2]
    rows = {"top": slice(height // 2), "bottom": slice(height // 2, None)}
    columns = {"left": slice(width // 2), "right": slice(width // 2, None)}
    return image[rows.get(side, slice(None)), columns.get(side, slice(None))]
