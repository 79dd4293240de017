"""How long methods take on this machine, timed in turns on the same frames."""

from __future__ import annotations

import platform
import re
import time
from collections.abc import Sequence
from pathlib import Path

import torch
from pydantic import BaseModel, ConfigDict
from tqdm import tqdm

from dense_reloc_ros.configuration import LocalizerConfiguration
from dense_reloc_ros.errors import InputError
from dense_reloc_ros.evaluation.benchmarks.contenders import Contender
from dense_reloc_ros.evaluation.benchmarks.memory import peak_memory
from dense_reloc_ros.evaluation.metrics.metrics import Duration, stage_durations
from dense_reloc_ros.evaluation.metrics.records import FrameRecord
from dense_reloc_ros.mapping.sources.source_frame import SourceFrame
from dense_reloc_ros.scene.summary import summarize_map
from dense_reloc_ros.stamps import NANOSECONDS

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
    peak_memory_mb: float | None
    """Largest resident set of a process that runs this method alone; None where unknown."""
    peak_gpu_memory_mb: float | None
    """Most GPU memory that this process allocated; None without a GPU."""


def compare_speed(
    contenders: Sequence[Contender],
    configuration: LocalizerConfiguration,
    frames: Sequence[SourceFrame],
    warm_up: int,
) -> list[SpeedResult]:
    """Times the contenders, with the configuration that they were opened with.

    The first `warm_up` frames are localized but not timed.

    Raises:
        InputError: an image that cannot be read, or no frames left to time.
    """
    runs = time_in_turns(contenders, frames, warm_up)
    images = [(frame.load_image(), frame.camera) for frame in frames[:MEMORY_FRAMES]]
    results = []
    for contender, records in zip(tqdm(contenders, desc="memory", unit="run"), runs, strict=True):
        memory = peak_memory(contender, configuration, images)
        latencies = [r.latency_milliseconds for r in records if r.latency_milliseconds is not None]
        results.append(
            SpeedResult(
                method=contender.method,
                device=contender.device,
                hardware=hardware_name(contender.localizer.device),
                threads=torch.get_num_threads(),
                map=str(contender.map),
                keyframes=contender.keyframes,
                map_mb_per_keyframe=summarize_map(contender.map).size_mb_per_keyframe,
                frames=len(records),
                localized=sum(record.is_localized for record in records),
                frame_ms=Duration.of(latencies),
                stage_ms=stage_durations(records),
                peak_memory_mb=memory.resident_mb,
                peak_gpu_memory_mb=memory.gpu_mb,
            )
        )
    return [
        result.model_copy(update={"ratio_to_baseline": _ratio_to_baseline(result, results)})
        for result in results
    ]


def time_in_turns(
    contenders: Sequence[Contender], frames: Sequence[SourceFrame], warm_up: int
) -> list[list[FrameRecord]]:
    """The timed records of each contender; every frame goes to all of them before the next.

    So a change of the machine's load hits all alike.

    Raises:
        InputError: an image that cannot be read, or no frames left to time.
    """
    if len(frames) <= warm_up:
        raise InputError(f"{len(frames)} frames are too few to time after {warm_up} to warm up")
    records: list[list[FrameRecord]] = [[] for _ in contenders]
    for index, frame in enumerate(tqdm(frames, desc="timing", unit="frame")):
        image = frame.load_image()
        for contender, of_contender in zip(contenders, records, strict=True):
            start = time.perf_counter()
            localization = contender.localizer.localize(image, frame.camera)
            milliseconds = (time.perf_counter() - start) * 1000
            if index >= warm_up:
                stamp = round(frame.timestamp * NANOSECONDS)
                of_contender.append(
                    FrameRecord.from_localization(
                        stamp, frame.name, localization, milliseconds, frame.T_map_camera
                    )
                )
    return records


def hardware_name(device: torch.device) -> str:
    """What the processor or GPU behind a device is called."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    models = re.findall(r"^model name\s*: (.+)$", _read(PROCESSORS_FILE), re.MULTILINE)
    return models[0] if models else platform.processor() or platform.machine()


def _read(path: Path) -> str:
    return path.read_text() if path.exists() else ""


def _ratio_to_baseline(result: SpeedResult, results: Sequence[SpeedResult]) -> float | None:
    baselines = [r for r in results if r.method == BASELINE and r.device == result.device]
    if not baselines:
        return None
    baseline = min(baselines, key=lambda other: abs(other.keyframes - result.keyframes))
    return result.frame_ms.median / baseline.frame_ms.median
