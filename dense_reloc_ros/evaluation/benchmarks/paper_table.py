"""What the systems of the papers reach in the scenes of a list: one table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from pydantic import BaseModel, ConfigDict

from dense_reloc_ros.configuration import LocalizerConfiguration
from dense_reloc_ros.evaluation.benchmarks.condition_results import ConditionResult
from dense_reloc_ros.evaluation.benchmarks.paper_list import PaperSystem
from dense_reloc_ros.evaluation.benchmarks.process_memory import peak_memory
from dense_reloc_ros.evaluation.benchmarks.scene_list import Scene
from dense_reloc_ros.evaluation.benchmarks.scene_maps import SceneMaps
from dense_reloc_ros.evaluation.benchmarks.systems import System
from dense_reloc_ros.geometry.arrays import RgbImage
from dense_reloc_ros.geometry.camera import Camera
from dense_reloc_ros.localization.factory import localizer_for
from dense_reloc_ros.localization.methods import find_method
from dense_reloc_ros.scene.progress import Progress
from dense_reloc_ros.scene.reader import load_map

MEMORY_IMAGES = 2
"""That a process localizes whose memory is watched."""
_MEGABYTE = 1e6


class PaperResult(BaseModel):
    """What one system reaches in a scene under a condition."""

    model_config = ConfigDict(frozen=True)

    scene: str
    level: str
    """The degradation."""
    published: str
    """The system's name in its paper."""
    system: str
    """Its name here."""
    queries: int
    localized: int
    """Published poses."""
    recall: dict[str, float]
    """Share of all queries within each threshold."""
    wrong: int
    """Published poses outside 0.25 m, 10 degrees."""
    median_translation_m: float | None
    median_rotation_deg: float | None
    """Of the published poses."""
    frame_ms: float | None
    """Median."""
    map_mb: float
    """Of the map's folder."""
    memory_mb: float | None
    """Most that a process held that opened the map and localized; None where unknown."""


@dataclass(frozen=True)
class OpenSystem:
    """A system of a paper on the map of a scene."""

    paper: PaperSystem
    system: System
    memory_mb: float | None


class PaperSystems:
    """Opens the systems of a list on the maps of scenes, which are built once and kept."""

    def __init__(
        self,
        systems: Sequence[PaperSystem],
        configuration: LocalizerConfiguration,
        folder: Path,
        device: torch.device,
        rebuild: bool = False,
    ) -> None:
        """Raises ConfigurationError for networks that are unknown or have no weights."""
        self._configuration, self._device = configuration, device
        self._systems = systems
        self._maps: dict[str, SceneMaps] = {}
        for one in systems:
            method = find_method(one.method)
            network = one.network or method.network
            if network not in self._maps:
                self._maps[network] = SceneMaps(
                    [method], one.network, configuration, folder, device, rebuild
                )

    def on(self, scene: Scene, progress: Progress) -> list[OpenSystem]:
        """Those that can localize in a scene: what needs depth does not where there is none.

        Raises:
            RelocError: frames or maps that cannot be used.
        """
        images = [(f.load_image(), f.camera) for f in scene.queries.frames[:MEMORY_IMAGES]]
        return [
            self._open(one, scene, images, progress)
            for one in self._systems
            if find_method(one.method).stored != "coordinates" or scene.source.has_depth
        ]

    def _open(
        self,
        paper: PaperSystem,
        scene: Scene,
        images: Sequence[tuple[RgbImage, Camera]],
        progress: Progress,
    ) -> OpenSystem:
        method = find_method(paper.method)
        maps = self._maps[paper.network or method.network]
        (path,) = maps.of(scene, progress, method.stored)
        localizer = localizer_for(load_map(path), self._configuration, method.name, self._device)
        system = System(localizer, path)
        memory = peak_memory(system, self._configuration, images).resident_mb
        return OpenSystem(paper, system, memory)


def paper_results(
    systems: Sequence[OpenSystem], results: Sequence[ConditionResult]
) -> list[PaperResult]:
    """The rows of the table: each of the results with the system that it is of."""
    by_map = {(one.paper.method, str(one.system.map)): one for one in systems}
    return [_row(by_map[result.method, result.map], result) for result in results]


def _row(one: OpenSystem, result: ConditionResult) -> PaperResult:
    return PaperResult(
        scene=result.queries,
        level=result.level,
        published=one.paper.published,
        system=one.paper.name,
        queries=result.frames,
        localized=result.localized,
        recall=result.recall or {},
        wrong=result.wrong or 0,
        median_translation_m=result.median_translation_m,
        median_rotation_deg=result.median_rotation_deg,
        frame_ms=result.latency_ms.median,
        map_mb=folder_mb(one.system.map),
        memory_mb=one.memory_mb,
    )


def folder_mb(folder: Path) -> float:
    """Size of all files below a folder in MB of 10⁶ bytes."""
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) / _MEGABYTE


def markdown(results: Sequence[PaperResult]) -> str:
    """The rows as a table of Markdown, for the documentation."""
    heading = (
        "scene", "condition", "system", "2 cm, 2°", "5 cm, 5°", "25 cm, 5°", "wrong", "median",
        "ms", "memory MB", "map MB",
    )  # fmt: skip
    lines = [f"| {' | '.join(heading)} |", f"|{' --- |' * len(heading)}"]
    lines += [f"| {' | '.join(_cells(result))} |" for result in results]
    return "\n".join(lines) + "\n"


def _cells(result: PaperResult) -> list[str]:
    return [
        result.scene,
        result.level,
        result.system,
        *(f"{result.recall[name]:.3f}" for name in ("2cm_2deg", "5cm_5deg", "25cm_5deg")),
        f"{result.wrong} of {result.localized}",
        median_of(result),
        "-" if result.frame_ms is None else f"{result.frame_ms:.0f}",
        "-" if result.memory_mb is None else f"{result.memory_mb:.0f}",
        f"{result.map_mb:.1f}",
    ]


def median_of(result: PaperResult) -> str:
    """Median errors of the published poses for people; a dash where there are none."""
    if result.median_translation_m is None or result.median_rotation_deg is None:
        return "-"
    return f"{100 * result.median_translation_m:.1f} cm, {result.median_rotation_deg:.2f}°"
