"""Recorded frames made harder, by the names that the benchmarks know.

`clean` frames stay as they are. `dim`, `dark`, `night` and `harsh` change the light; `roll` turns
the camera about its optical axis by each of 12 angles (`roll30` by one); `zoom` changes the focal
length by each of five factors (`zoom0.5` by one); `bursts` disturbs a video for a second now and
then. Several are joined by +, from the scene to the sensor: `roll+night`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from itertools import product

import cv2
import numpy as np

from dense_reloc_ros.errors import ConfigurationError, InputError
from dense_reloc_ros.geometry.arrays import RgbImage
from dense_reloc_ros.geometry.camera import Camera
from dense_reloc_ros.geometry.se3 import rigid
from dense_reloc_ros.images.bursts import Burst, disturb, schedule
from dense_reloc_ros.images.encodings import decode_compressed
from dense_reloc_ros.images.light_levels import LEVELS, degrade
from dense_reloc_ros.images.view_changes import View, rolled, zoomed
from dense_reloc_ros.mapping.sources.source_frame import SourceFrame

CLEAN = "clean"
"""Images stay as they were recorded."""
BURSTS = "bursts"
BETWEEN_BURSTS = "clear"
"""The phase of a video's frames that are in no burst."""
ROLLS = tuple(range(0, 360, 30))
"""Degrees."""
ZOOMS = (0.35, 0.5, 1.5, 2.0, 3.0)
KNOWN = (CLEAN, *LEVELS, "roll", "zoom")
_VIEW = re.compile(r"(roll|zoom)(\d+(?:\.\d+)?)")
JPEG_QUALITY = 92


@dataclass(frozen=True)
class DegradedFrame:
    """A frame as it is to be localized."""

    frame: SourceFrame
    phase: str = ""
    """The kind of burst it is in, or `BETWEEN_BURSTS`; empty without bursts."""


def expand(names: Sequence[str]) -> list[str]:
    """The single degradations that names stand for: `roll` is `roll0`, `roll30`, …

    Raises:
        ConfigurationError: an unknown name; lists those that exist.
    """
    single = {"roll": [f"roll{a}" for a in ROLLS], "zoom": [f"zoom{z:g}" for z in ZOOMS]}
    found = []
    for name in names:
        parts = name.split("+")
        for part in parts:
            if not _is_known(part, alone=len(parts) == 1):
                known = ", ".join(KNOWN)
                raise ConfigurationError(f"unknown level '{part}' (known: {known})")
        found += ["+".join(one) for one in product(*(single.get(part, [part]) for part in parts))]
    return list(dict.fromkeys(found))


def is_random(name: str) -> bool:
    """Whether each seed gives other images."""
    return any(part == BURSTS or part in LEVELS for part in name.split("+"))


def degraded(frames: Sequence[SourceFrame], name: str, seed: int = 0) -> list[DegradedFrame]:
    """The frames under one degradation (see `expand`), with the randomness of a seed.

    Images whose light is changed are made once, when they are first loaded, and kept as JPEG.

    Raises:
        ConfigurationError: an unknown name.
        InputError: a video too short for a burst.
    """
    if name == BURSTS:
        return _with_bursts(frames, seed)
    for part in expand([name])[0].split("+"):
        frames = [_changed_by(part, frame, seed) for frame in frames]
    return [DegradedFrame(frame) for frame in frames]


def frame_number(frame: SourceFrame) -> int:
    """The last number in its name (`frame-000123.color.jpg`), or else its time in nanoseconds."""
    numbers = re.findall(r"\d+", frame.name)
    return int(numbers[-1]) if numbers else frame.stamp


def _is_known(part: str, alone: bool) -> bool:
    view = _VIEW.fullmatch(part)
    return part in KNOWN or (part == BURSTS and alone) or (view is not None and _amount(view) > 0)


def _amount(view: re.Match[str]) -> float:
    """Above zero for what makes sense: any angle, or a positive zoom."""
    return math.inf if view[1] == "roll" else float(view[2])


def _changed_by(part: str, frame: SourceFrame, seed: int) -> SourceFrame:
    if part in LEVELS:
        number = frame_number(frame)
        return _changed(frame, lambda image: degrade(image, LEVELS[part], number, seed))
    view = _VIEW.fullmatch(part)
    if view is None:
        return frame
    amount = float(view[2])
    if view[1] == "zoom":
        return _seen(frame, partial(zoomed, factor=amount))
    return _seen(frame, partial(rolled, angle=math.radians(amount))) if amount else frame


def _seen(frame: SourceFrame, change: Callable[[RgbImage, Camera], View]) -> SourceFrame:
    """The frame by another camera at the same place; without depth."""
    blank = np.zeros((frame.camera.height, frame.camera.width, 3), dtype=np.uint8)
    view, T_map_camera = change(blank, frame.camera), frame.T_map_camera
    if T_map_camera is not None:
        T_map_camera = T_map_camera @ rigid(view.R_before_after, np.zeros(3))
    return replace(
        frame,
        camera=view.camera,
        T_map_camera=T_map_camera,
        read_image=lambda: change(frame.load_image(), frame.camera).image,
        read_depth=None,
    )


def _with_bursts(frames: Sequence[SourceFrame], seed: int) -> list[DegradedFrame]:
    """The frames in the order of their time, with the bursts of a seed."""
    ordered = sorted(frames, key=lambda frame: frame.timestamp)
    bursts = schedule([frame.timestamp for frame in ordered], seed)
    if not bursts:
        raise InputError(f"{len(ordered)} frames are too short a video for a burst")
    video = [DegradedFrame(frame, BETWEEN_BURSTS) for frame in ordered]
    for burst in bursts:
        for index in range(burst.begin, burst.end):
            frame = _disturbed(ordered[index], burst, index, seed)
            video[index] = DegradedFrame(frame, burst.kind)
    return video


def _disturbed(frame: SourceFrame, burst: Burst, index: int, seed: int) -> SourceFrame:
    noise = [seed, frame_number(frame)]
    return _changed(frame, lambda image: disturb(image, burst, index, noise))


def _changed(frame: SourceFrame, change: Callable[[RgbImage], RgbImage]) -> SourceFrame:
    """The same frame with a change of its image, which is made once and kept as a JPEG."""

    @cache
    def jpeg() -> bytes:
        bgr = cv2.cvtColor(change(frame.load_image()), cv2.COLOR_RGB2BGR)
        return bytes(cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])[1])

    return replace(frame, read_image=lambda: decode_compressed(jpeg()))
