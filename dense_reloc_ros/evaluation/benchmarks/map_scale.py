"""What the size of a map costs: a map of so many copies of it, side by side, beside itself."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import torch
from pydantic import BaseModel, ConfigDict

from dense_reloc_ros.configuration import LocalizerConfiguration
from dense_reloc_ros.evaluation.benchmarks.process_memory import in_own_process
from dense_reloc_ros.evaluation.benchmarks.systems import System, open_systems
from dense_reloc_ros.evaluation.benchmarks.timing import SpeedResult, compare_speed
from dense_reloc_ros.localization.factory import open_localizer
from dense_reloc_ros.mapping.side_by_side import side_by_side
from dense_reloc_ros.mapping.sources.source_frame import SourceFrame
from dense_reloc_ros.scene.reader import load_map
from dense_reloc_ros.scene.writer import write_map


class ScaleResult(BaseModel):
    """A map of one size."""

    model_config = ConfigDict(frozen=True)

    speed: SpeedResult
    ratio_to_smallest: float
    """Median time of a frame over that with the map that the copies are made of."""
    startup_s: float
    """From nothing to a localizer that is ready, in a process of its own with its imports."""


def compare_sizes(
    map_path: Path,
    copies: Sequence[int],
    folder: Path,
    configuration: LocalizerConfiguration,
    device: torch.device,
    frames: Sequence[SourceFrame],
    warm_up: int,
    rebuild: bool = False,
) -> list[ScaleResult]:
    """The map, and each number of copies of it; the large maps are kept in a folder.

    Raises:
        MapError: a map that cannot be used or written.
        InputError: frames that cannot be read, or none left to time.
    """
    maps = [map_path]
    for count in copies:
        path = folder / f"{map_path.name}_x{count}"
        if rebuild or not path.exists():
            write_map(path, side_by_side(load_map(map_path), count))
        maps.append(path)
    systems = open_systems(maps, None, configuration, device)
    results = compare_speed(systems, configuration, frames, warm_up)
    smallest = results[0].frame_ms.median
    return [
        ScaleResult(
            speed=result,
            ratio_to_smallest=result.frame_ms.median / smallest,
            startup_s=startup_seconds(system, configuration),
        )
        for result, system in zip(results, systems, strict=True)
    ]


def startup_seconds(system: System, configuration: LocalizerConfiguration) -> float:
    """Until a localizer is ready in a process of its own.

    Raises:
        RelocError: the process ended early.
    """
    job = partial(_time_when_open, system.map, configuration, system.method, system.device)
    begin = time.monotonic()
    return in_own_process(system, job) - begin


def _time_when_open(
    map_path: Path, configuration: LocalizerConfiguration, method: str, device: str
) -> float:
    """By the clock that all processes share."""
    open_localizer(map_path, configuration, method, device)
    return time.monotonic()
