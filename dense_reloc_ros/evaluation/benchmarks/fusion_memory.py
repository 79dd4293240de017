"""Whether fusion over time keeps its memory bounded, however long the video is."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import cycle, islice
from pathlib import Path

import torch
from pydantic import BaseModel, ConfigDict

from dense_reloc_ros.configuration import LocalizerConfiguration
from dense_reloc_ros.evaluation.benchmarks.process_memory import in_own_process, resident_mb
from dense_reloc_ros.evaluation.benchmarks.systems import System
from dense_reloc_ros.geometry.arrays import RgbImage
from dense_reloc_ros.geometry.camera import Camera
from dense_reloc_ros.localization.factory import open_localizer
from dense_reloc_ros.mapping.sources.source_frame import SourceFrame
from dense_reloc_ros.progress import show_progress
from dense_reloc_ros.stamps import NANOSECONDS
from dense_reloc_ros.temporal.fusion_configuration import TemporalConfiguration
from dense_reloc_ros.temporal.temporal_localizer import TemporalLocalizer

SAMPLES = 20
"""How often the memory is looked at, at equal distances."""
FRAME_NANOSECONDS = NANOSECONDS // 15
_MEGABYTE = 1e6


class MemoryResult(BaseModel):
    """Memory through a long video, in MB of 10⁶ bytes."""

    model_config = ConfigDict(frozen=True)

    method: str
    device: str
    map: str
    frames: int
    fused: int
    """Frames whose pose is that of a fusion: there was something to remember."""
    resident_mb: list[float]
    """Of the process after each 20th part of the frames; empty where unknown."""
    gpu_mb: list[float]
    """Allocated by torch on the GPU, as often; empty without one."""

    @property
    def growth_mb(self) -> float | None:
        """From the first look to the last one, None where unknown."""
        return self.resident_mb[-1] - self.resident_mb[0] if self.resident_mb else None


def fusion_memory(
    system: System,
    localizer: LocalizerConfiguration,
    fusion: TemporalConfiguration,
    video: Sequence[SourceFrame],
    frames: int,
) -> MemoryResult:
    """Plays a video forth and back until `frames` frames are fused, in a process of its own.

    Raises:
        InputError: an image that cannot be read.
        RelocError: the process ended early.
    """
    images = [(frame.load_image(), frame.camera) for frame in video]
    device = str(system.localizer.device)
    job = partial(_fuse, system.map, localizer, system.method, device, fusion, images, frames)
    return in_own_process(system, job)


def _fuse(
    map_path: Path,
    configuration: LocalizerConfiguration,
    method: str,
    device: str,
    fusion: TemporalConfiguration,
    images: Sequence[tuple[RgbImage, Camera]],
    frames: int,
) -> MemoryResult:
    localizer = open_localizer(map_path, configuration, method, device)
    temporal = TemporalLocalizer(localizer, fusion)
    forth_and_back = cycle([*images, *images[-2:0:-1]])
    looks = {round(frames * (sample + 1) / SAMPLES) for sample in range(SAMPLES)}
    resident: list[float] = []
    on_gpu: list[float] = []
    fused = 0
    played = show_progress(islice(forth_and_back, frames), "memory", total=frames)
    for number, (image, camera) in enumerate(played, start=1):
        answer = temporal.localize_and_fuse(image, camera, number * FRAME_NANOSECONDS)
        fused += answer.is_fused
        if number not in looks:
            continue
        megabytes = resident_mb()
        if megabytes is not None:
            resident.append(megabytes)
        if localizer.device.type == "cuda":
            on_gpu.append(torch.cuda.memory_allocated(localizer.device) / _MEGABYTE)
    return MemoryResult(
        method=method,
        device=device,
        map=str(map_path),
        frames=frames,
        fused=fused,
        resident_mb=resident,
        gpu_mb=on_gpu,
    )
