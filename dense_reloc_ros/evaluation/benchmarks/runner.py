"""Runs systems on queries under degradations; what comes of it is one long table of frames."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from dense_reloc_ros.errors import InputError
from dense_reloc_ros.evaluation.benchmarks.degraded_frames import (
    CLEAN,
    degraded,
    expand,
    is_random,
)
from dense_reloc_ros.evaluation.benchmarks.systems import System
from dense_reloc_ros.evaluation.metrics.frame_record import FrameRecord
from dense_reloc_ros.evaluation.replay.offline import localize_in_turns
from dense_reloc_ros.mapping.sources.source_frame import SourceFrame

Key = TypeVar("Key", bound=Hashable)


@dataclass(frozen=True)
class QuerySet:
    """Frames to localize."""

    name: str
    """For people: where they come from."""
    frames: Sequence[SourceFrame]
    metre: float = 1.0
    """What counts as a metre, in the unit of the frames' poses."""


@dataclass(frozen=True)
class Condition:
    """Under which a frame was localized."""

    method: str
    way: str
    """How: by single images, as a video, …; see `systems`."""
    device: str
    map: str
    map_revision: str
    keyframes: int
    """Of the map."""
    queries: str
    degradation: str = CLEAN
    seed: int = 0


@dataclass(frozen=True)
class FrameRow:
    """One row of the table: a frame localized under a condition."""

    condition: Condition
    frame: FrameRecord
    phase: str = ""
    """The kind of burst that it is in, where the degradation is `bursts`."""


def run_benchmark(
    systems: Sequence[System],
    queries: QuerySet,
    degradations: Sequence[str] = (CLEAN,),
    seeds: Sequence[int] = (0,),
) -> list[FrameRow]:
    """The rows of all systems, degradation by degradation and seed by seed, in the frames' order.

    Degradations without randomness are run once.

    Raises:
        ConfigurationError: an unknown degradation.
        InputError: frames that cannot be read, or too few of them for a burst.
    """
    runs = [
        (name, seed, degraded(queries.frames, name, seed))
        for name in expand(degradations)
        for seed in (seeds if is_random(name) else seeds[:1])
    ]
    rows = []
    for name, seed, frames in runs:
        label = f"{queries.name}, {name}" + (f", seed {seed}" if seed else "")
        trials = [system.start(system.localizer) for system in systems]
        given = [one.frame for one in frames]
        phases = {one.frame.name: one.phase for one in frames}
        for trial, way, record in localize_in_turns(trials, given, label=label):
            condition = _condition(systems[trial], way, queries.name, name, seed)
            record = replace(record, metre=queries.metre)
            rows.append(FrameRow(condition, record, phases[record.name]))
    return rows


def check_truth(frames: Sequence[SourceFrame]) -> None:
    """Raises InputError where no frame has a true pose, by which systems could be compared."""
    if all(frame.T_map_camera is None for frame in frames):
        raise InputError("the frames have no true poses to compare with: --ground-truth TUM")


def grouped(rows: Iterable[FrameRow], key: Callable[[Condition], Key]) -> dict[Key, list[FrameRow]]:
    """The rows whose condition has the same key, in the order in which keys first occur."""
    groups: dict[Key, list[FrameRow]] = {}
    for row in rows:
        groups.setdefault(key(row.condition), []).append(row)
    return groups


def _condition(system: System, way: str, queries: str, degradation: str, seed: int) -> Condition:
    return Condition(
        method=system.method,
        way=way,
        device=system.device,
        map=str(system.map),
        map_revision=system.map_information.revision,
        keyframes=system.keyframes,
        queries=queries,
        degradation=degradation,
        seed=seed,
    )
