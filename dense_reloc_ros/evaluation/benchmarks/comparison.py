"""Methods side by side on the same frames: in harder and harder light, and by their poses alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from dense_reloc_ros.errors import InputError
from dense_reloc_ros.evaluation.benchmarks.contenders import Contender
from dense_reloc_ros.evaluation.benchmarks.robustness import at_level
from dense_reloc_ros.evaluation.metrics.metrics import Threshold
from dense_reloc_ros.evaluation.metrics.records import FrameRecord
from dense_reloc_ros.evaluation.replay.offline import LocalizesImages, localize_frames
from dense_reloc_ros.evaluation.report.summary import RunInformation, Summary, summarize
from dense_reloc_ros.geometry.camera import Camera
from dense_reloc_ros.localization.result import Localization, Status
from dense_reloc_ros.mapping.sources.source_frame import SourceFrame

POSE_THRESHOLDS: Mapping[str, Threshold] = MappingProxyType(
    {
        "2cm_2deg": Threshold(0.02, 2.0),
        "5cm_5deg": Threshold(0.05, 5.0),
        "25cm_10deg": Threshold(0.25, 10.0),
    }
)
REFERENCE = "nre"
"""The method that the others' poses are compared with."""


class RobustnessResult(Summary):
    """What a method reaches at a level: the numbers of report.json."""

    level: str
    keyframes: int
    """Of the map."""


class PoseResult(BaseModel):
    """How good a method's poses are at a level, whether they would be published or not."""

    model_config = ConfigDict(frozen=True)

    level: str
    method: str
    device: str
    map: str
    keyframes: int
    """Of the map."""
    frames: int
    """With a ground truth."""
    outside: dict[str, float]
    """Share of these frames whose best pose is outside each threshold, or that have none."""
    deterioration: dict[str, float | None]
    """(outside / outside by NRE) - 1 on the same level and map, as in thesis Table 4.1.

    None where NRE took no part, or where only NRE is never outside.
    """


def compare_robustness(
    contenders: Sequence[Contender],
    frames: Sequence[SourceFrame],
    levels: Sequence[str],
    queries: str,
) -> list[RobustnessResult]:
    """Localizes frames (`queries` names them for people) at each level by each contender.

    Raises:
        ConfigurationError: an unknown level.
        InputError: frames that are unreadable or have no true poses.
    """
    results = []
    for level, contender, records in _runs(contenders, frames, levels):
        run = RunInformation(
            method=contender.method,
            device=contender.device,
            map_revision=contender.localizer.scene_map.information.revision,
            map=str(contender.map),
            queries=queries,
            mode="bench robustness",
        )
        summary = summarize(records, run)
        results.append(
            RobustnessResult(level=level, keyframes=contender.keyframes, **dict(summary))
        )
    return results


def compare_poses(
    contenders: Sequence[Contender], frames: Sequence[SourceFrame], levels: Sequence[str]
) -> list[PoseResult]:
    """How often the best pose of each contender is outside `POSE_THRESHOLDS` at each level.

    Raises:
        ConfigurationError: an unknown level.
        InputError: frames that are unreadable or have no true poses.
    """
    results: list[PoseResult] = []
    for level, contender, records in _runs(contenders, frames, levels, verified=False):
        evaluated = [record for record in records if record.ground_truth is not None]
        results.append(
            PoseResult(
                level=level,
                method=contender.method,
                device=contender.device,
                map=str(contender.map),
                keyframes=contender.keyframes,
                frames=len(evaluated),
                outside=outside_thresholds(evaluated),
                deterioration={},
            )
        )
    return [
        result.model_copy(update={"deterioration": _deteriorations(result, results)})
        for result in results
    ]


@dataclass(frozen=True)
class Unverified:
    """Publishes the best pose of each frame, whether it passes the threshold or not."""

    localizer: LocalizesImages

    def localize(self, image: NDArray[np.uint8], camera: Camera) -> Localization:
        """Where an image (H, W, 3) RGB was probably taken."""
        localization = self.localizer.localize(image, camera)
        if localization.status is Status.REJECTED and localization.estimate is not None:
            return replace(localization, status=Status.LOCALIZED, reason="")
        return localization


def _runs(
    contenders: Sequence[Contender],
    frames: Sequence[SourceFrame],
    levels: Sequence[str],
    verified: bool = True,
) -> Iterator[tuple[str, Contender, list[FrameRecord]]]:
    if all(frame.T_map_camera is None for frame in frames):
        raise InputError("the frames have no true poses to compare with: --ground-truth TUM")
    seen = {level: at_level(frames, level) for level in levels}
    for level, seen_frames in seen.items():
        for contender in contenders:
            localizer = contender.localizer if verified else Unverified(contender.localizer)
            label = f"{level}, {contender.method} on {contender.map.name}"
            records = localize_frames(localizer, seen_frames, label=label)
            yield level, contender, records


def outside_thresholds(records: Sequence[FrameRecord]) -> dict[str, float]:
    """Share of records, all with a true pose, that are outside each of `POSE_THRESHOLDS`."""
    return {
        name: sum(not _is_within(record, threshold) for record in records) / len(records)
        for name, threshold in POSE_THRESHOLDS.items()
    }


def _is_within(record: FrameRecord, threshold: Threshold) -> bool:
    return record.error is not None and threshold.holds(record.error)


def _deteriorations(result: PoseResult, results: Sequence[PoseResult]) -> dict[str, float | None]:
    run = (result.level, result.map)
    references = [r for r in results if r.method == REFERENCE and (r.level, r.map) == run]
    if not references:
        return dict.fromkeys(result.outside)
    return {
        name: _relative(share, references[0].outside[name])
        for name, share in result.outside.items()
    }


def _relative(share: float, reference: float) -> float | None:
    if share == reference:
        return 0.0
    return share / reference - 1 if reference else None
