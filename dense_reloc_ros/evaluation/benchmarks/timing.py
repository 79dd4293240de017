"""How long methods take on this machine, timed in turns on the same frames, idle and busy."""

from __future__ import annotations

import os
import platform
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch
from pydantic import BaseModel, ConfigDict

from dense_reloc_ros.configuration import LocalizerConfiguration
from dense_reloc_ros.errors import InputError
from dense_reloc_ros.evaluation.benchmarks.degraded_frames import CLEAN
from dense_reloc_ros.evaluation.benchmarks.process_memory import peak_memory
from dense_reloc_ros.evaluation.benchmarks.runner import FrameRow, QuerySet, grouped, run_benchmark
from dense_reloc_ros.evaluation.benchmarks.systems import BUSY, System
from dense_reloc_ros.evaluation.metrics.accuracy import Duration, stage_durations
from dense_reloc_ros.evaluation.replay.offline import SINGLE, Trial
from dense_reloc_ros.geometry.arrays import RgbImage
from dense_reloc_ros.localization.localizer import Localizer
from dense_reloc_ros.localization.result import Localization
from dense_reloc_ros.mapping.sources.source_frame import SourceFrame
from dense_reloc_ros.progress import show_progress
from dense_reloc_ros.scene.summary import summarize_map

BASELINE = "sift_pnp"
"""The method that the others' time is compared with."""
PROCESSORS_FILE = Path("/proc/cpuinfo")
MEMORY_FRAMES = 10
"""Frames that a method localizes while its memory is watched."""


class SpeedResult(BaseModel):
    """What a method costs; sizes in MB of 10⁶ bytes."""

    model_config = ConfigDict(frozen=True)

    method: str
    device: str
    hardware: str
    """The processor or GPU, for people."""
    threads: int
    """Of the processor that torch uses."""
    map: str
    keyframes: int
    """Of the map."""
    map_mb_per_keyframe: float
    frames: int
    """Timed ones."""
    localized: int
    frame_ms: Duration
    stage_ms: dict[str, Duration]
    """Over the frames that reached each stage."""
    ratio_to_baseline: float | None = None
    """Median time of a frame over that of `BASELINE` on the same device, None where there is none.

    Of several maps the one most alike in size counts.
    """
    busy_processes: int
    """Beside which the same frames were localized again."""
    busy_frame_ms: Duration | None
    """None without busy processes; so is the next."""
    ratio_busy_to_idle: float | None
    """Median time of a frame beside busy processes over that without them."""
    peak_memory_mb: float | None
    """Largest resident set of a process that runs this method alone; None where unknown."""
    peak_gpu_memory_mb: float | None
    """Most GPU memory that this process allocated; None without a GPU."""


def compare_speed(
    systems: Sequence[System],
    configuration: LocalizerConfiguration,
    frames: Sequence[SourceFrame],
    warm_up: int,
    busy: int = 0,
    degradations: Sequence[str] = (CLEAN,),
) -> list[SpeedResult]:
    """Times the systems, with the configuration that they were opened with.

    The first `warm_up` frames of each degradation are localized but not timed; the others of all
    of them count together. Each frame is localized without and then beside `busy` processes before
    the next one.

    Raises:
        InputError: frames that cannot be read, or none left to time.
    """
    rows = time_in_turns(systems, frames, warm_up, busy, degradations)
    images = [(frame.load_image(), frame.camera) for frame in frames[:MEMORY_FRAMES]]
    groups = grouped(rows, lambda c: (c.method, c.map, c.device))
    results = []
    for system in show_progress(systems, "memory", "run"):
        of_system = groups[system.method, str(system.map), system.device]
        memory = peak_memory(system, configuration, images)
        idle = [row.frame for row in of_system if row.condition.way == SINGLE]
        beside = [row for row in of_system if row.condition.way == BUSY]
        frame_ms, busy_ms = _durations(of_system, SINGLE), _durations(beside, BUSY)
        assert frame_ms is not None  # some frames are left to time
        results.append(
            SpeedResult(
                method=system.method,
                device=system.device,
                hardware=hardware_name(system.localizer.device),
                threads=torch.get_num_threads(),
                map=str(system.map),
                keyframes=system.keyframes,
                map_mb_per_keyframe=summarize_map(system.map).size_mb_per_keyframe,
                frames=len(idle),
                localized=sum(record.is_localized for record in idle),
                frame_ms=frame_ms,
                stage_ms=stage_durations(idle),
                busy_processes=busy,
                busy_frame_ms=busy_ms,
                ratio_busy_to_idle=busy_ms.median / frame_ms.median if busy_ms else None,
                peak_memory_mb=memory.resident_mb,
                peak_gpu_memory_mb=memory.gpu_mb,
            )
        )
    return [
        result.model_copy(update={"ratio_to_baseline": _ratio_to_baseline(result, results)})
        for result in results
    ]


def time_in_turns(
    systems: Sequence[System],
    frames: Sequence[SourceFrame],
    warm_up: int,
    busy: int = 0,
    degradations: Sequence[str] = (CLEAN,),
) -> list[FrameRow]:
    """The rows of the timed frames.

    Raises:
        ConfigurationError: an unknown degradation.
        InputError: frames that cannot be read, or none left to time.
    """
    if len(frames) <= warm_up:
        raise InputError(f"{len(frames)} frames are too few to time after {warm_up} to warm up")
    with busy_processes(busy) as processes:

        def beside(localizer: Localizer) -> Trial:
            return _beside(localizer, processes)

        both = [*systems, *(System(s.localizer, s.map, beside) for s in systems if busy)]
        rows = run_benchmark(both, QuerySet("timing", frames), degradations)
    timed = {frame.name for frame in frames[warm_up:]}
    return [row for row in rows if row.frame.name in timed]


@contextmanager
def busy_processes(count: int) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Processes that would compute without end, but are stopped until somebody continues them."""
    processes = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        _stop(processes)
        yield processes
    finally:
        for process in processes:
            process.kill()
            process.wait()


def hardware_name(device: torch.device) -> str:
    """What the processor or GPU behind a device is called."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    models = re.findall(r"^model name\s*: (.+)$", _read(PROCESSORS_FILE), re.MULTILINE)
    return models[0] if models else platform.processor() or platform.machine()


def _beside(localizer: Localizer, processes: Sequence[subprocess.Popen[bytes]]) -> Trial:
    def localize(image: RgbImage, frame: SourceFrame) -> Iterator[Localization]:
        for process in processes:
            process.send_signal(signal.SIGCONT)
        try:
            localization = localizer.localize(image, frame.camera)
        finally:
            _stop(processes)
        yield localization

    return Trial((BUSY,), localize)


def _stop(processes: Sequence[subprocess.Popen[bytes]]) -> None:
    for process in processes:
        process.send_signal(signal.SIGSTOP)
        os.waitpid(process.pid, os.WUNTRACED)


def _durations(rows: Sequence[FrameRow], way: str) -> Duration | None:
    times = [row.frame.latency_milliseconds for row in rows if row.condition.way == way]
    known = [milliseconds for milliseconds in times if milliseconds is not None]
    return Duration.of(known) if known else None


def _read(path: Path) -> str:
    return path.read_text() if path.exists() else ""


def _ratio_to_baseline(result: SpeedResult, results: Sequence[SpeedResult]) -> float | None:
    baselines = [r for r in results if r.method == BASELINE and r.device == result.device]
    if not baselines:
        return None
    baseline = min(baselines, key=lambda other: abs(other.keyframes - result.keyframes))
    return result.frame_ms.median / baseline.frame_ms.median
