"""How much memory a method takes, watched in a process of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import TypeVar

import torch

from dense_reloc_ros.configuration import LocalizerConfiguration
from dense_reloc_ros.errors import RelocError
from dense_reloc_ros.evaluation.benchmarks.systems import System
from dense_reloc_ros.geometry.arrays import RgbImage
from dense_reloc_ros.geometry.camera import Camera
from dense_reloc_ros.localization.factory import open_localizer

STATUS_FILE = Path("/proc/self/status")
"""Linux's account of a process."""
_MEGABYTE = 1e6

Result = TypeVar("Result")


@dataclass(frozen=True)
class PeakMemory:
    """The most memory in use at any time, in MB of 10⁶ bytes; None where unknown or no GPU."""

    resident_mb: float | None
    """Resident set of the whole process, with its libraries and the pages of the map it read."""
    gpu_mb: float | None
    """Allocated by torch."""


def peak_memory(
    system: System,
    configuration: LocalizerConfiguration,
    images: Sequence[tuple[RgbImage, Camera]],
) -> PeakMemory:
    """The memory of a process that opens the system's map and localizes some images.

    Raises:
        RelocError: the process ended early.
    """
    return in_own_process(
        system,
        partial(
            _localize,
            system.map,
            configuration,
            system.method,
            str(system.localizer.device),
            images,
        ),
    )


def in_own_process(system: System, job: Callable[[], Result]) -> Result:
    """What a job, which is for a system, gives in a process that does nothing else.

    Whatever else was loaded here would count too.

    Raises:
        RelocError: the process ended early.
    """
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
        try:
            return process.submit(job).result()
        except BrokenProcessPool:
            raise RelocError(
                f"the process that ran {system.method} on {system.map} was killed, "
                "perhaps because memory ran out"
            ) from None


def _localize(
    map_path: Path,
    configuration: LocalizerConfiguration,
    method: str,
    device: str,
    images: Sequence[tuple[RgbImage, Camera]],
) -> PeakMemory:
    localizer = open_localizer(map_path, configuration, method, device)
    for image, camera in images:
        localizer.localize(image, camera)
    on_gpu = localizer.device.type == "cuda"
    return PeakMemory(
        resident_mb=peak_resident_mb(),
        gpu_mb=torch.cuda.max_memory_allocated(localizer.device) / _MEGABYTE if on_gpu else None,
    )


def peak_resident_mb() -> float | None:
    """The largest resident set that this process ever had, None where the system does not tell."""
    # Not getrusage: its maximum also covers what the parent held when the process was made.
    return _status_mb("VmHWM")


def resident_mb() -> float | None:
    """The resident set of this process, None where the system does not tell."""
    return _status_mb("VmRSS")


def _status_mb(name: str) -> float | None:
    if not STATUS_FILE.exists():
        return None
    lines = STATUS_FILE.read_text().splitlines()
    kilobytes = next((line.split()[1] for line in lines if line.startswith(f"{name}:")), None)
    return None if kilobytes is None else int(kilobytes) * 1024 / _MEGABYTE
