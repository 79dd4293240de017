"""How well methods localize in photographed scenes, whatever the unit of length there.

Errors of position are shares of the scene's extent. Medians are over all queries: one without a
pose counts as infinitely far off.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict

from dense_reloc_ros.configuration import LocalizerConfiguration
from dense_reloc_ros.evaluation.benchmarks.contenders import Contender, open_contenders
from dense_reloc_ros.evaluation.benchmarks.scenes import PhotographedScene
from dense_reloc_ros.evaluation.metrics.records import FrameRecord
from dense_reloc_ros.evaluation.replay.offline import localize_frames
from dense_reloc_ros.localization.method import Method
from dense_reloc_ros.mapping.map_of_source import describer_for, make_map
from dense_reloc_ros.scene.progress import Progress, silent
from dense_reloc_ros.scene.writer import check_target, write_map

WITHIN_DEGREES = 5.0
WITHIN_SHARE = 0.05
"""Of the extent."""
TOTAL = "all"
"""Stands for the name of the scene where all of them are put together."""


class QueryError(BaseModel):
    """How far the published pose of a query is off."""

    model_config = ConfigDict(frozen=True)

    rotation_deg: float
    translation_share: float
    """Of the scene's extent."""

    @property
    def is_within(self) -> bool:
        return self.rotation_deg <= WITHIN_DEGREES and self.translation_share <= WITHIN_SHARE


class SceneResult(BaseModel):
    """How well a method localizes the queries of a scene, or of all scenes."""

    model_config = ConfigDict(frozen=True)

    scene: str
    method: str
    network: str
    device: str
    keyframes: int
    """Of the map, or of all maps."""
    extent: float | None
    """In the unit of the scene's model; None over several scenes."""
    queries: int
    localized: int
    outside: int
    """Published poses that are not within 5° and 5 % of the extent."""
    within: float
    """Share of all queries within 5° and 5 % of the extent."""
    median_rotation_deg: float | None
    """None where half or more of the queries have no pose; so is the next."""
    median_translation_share: float | None
    median_ms: float | None
    """Of a frame; None where no query could be read, and over several scenes."""
    errors: dict[str, QueryError | None]
    """By name of the query; None without a pose. Over several scenes, names are scene/query."""


class SceneMaps:
    """Builds the maps of scenes that some methods need, in a folder, one for each kind.

    The network (None: the methods' own) and the configuration's weights are those of dense
    features.

    Raises:
        ConfigurationError: a network that is unknown, or whose weights are missing or wrong.
    """

    def __init__(
        self,
        methods: Sequence[Method],
        network: str | None,
        configuration: LocalizerConfiguration,
        folder: Path,
        device: torch.device,
    ) -> None:
        weights = configuration.features.weights
        dense = (network, device, Path(weights) if weights else None)
        first = {method.kind: method for method in reversed(methods)}
        self._describers = [
            describer_for(method, *(dense if kind == "sparse_to_dense" else (None, device)))
            for kind, method in first.items()
        ]
        self._folder = folder

    def build(self, scene: PhotographedScene, progress: Progress = silent) -> list[Path]:
        """The folders of the maps of a scene, named by scene and network; older ones are replaced.

        Raises:
            InputError: an image that cannot be read.
            MapError: a folder that cannot be written.
        """
        paths = []
        for describer in self._describers:
            path = self._folder / f"{scene.name}_{describer.signature.network}"
            check_target(path)
            source = scene.source
            write_map(path, make_map(source, source.frames, describer, progress=progress))
            paths.append(path)
        return paths


def localize_scene(
    scene: PhotographedScene,
    maps: Sequence[Path],
    methods: Sequence[str],
    configuration: LocalizerConfiguration,
    device: torch.device,
    every: int = 1,
) -> list[SceneResult]:
    """Localizes every `every`-th query of a scene by each method on the scene's maps.

    Raises:
        MapError: a map that cannot be used.
        ConfigurationError: an unknown method, or one that none of the maps is made for.
        InputError: none of the queries can be read.
    """
    results = []
    for contender in open_contenders(maps, methods, configuration, device):
        label = f"{scene.name}, {contender.method}"
        records = localize_frames(contender.localizer, scene.queries[::every], label=label)
        results.append(scene_result(scene, contender, records))
    return results


def scene_result(
    scene: PhotographedScene, contender: Contender, records: Sequence[FrameRecord]
) -> SceneResult:
    """The result of the queries of one scene."""
    errors = {record.name: _error(record, scene.extent) for record in records}
    latencies = [r.latency_milliseconds for r in records if r.latency_milliseconds is not None]
    return _result(
        errors,
        scene=scene.name,
        method=contender.method,
        network=contender.localizer.scene_map.information.signature.network,
        device=contender.device,
        keyframes=contender.keyframes,
        extent=scene.extent,
        median_ms=float(np.median(latencies)) if latencies else None,
    )


def totals(results: Sequence[SceneResult]) -> list[SceneResult]:
    """For each method the result over all queries of all scenes, each query counting the same."""
    of_method: dict[str, list[SceneResult]] = {}
    for result in results:
        of_method.setdefault(result.method, []).append(result)
    return [
        _result(
            {f"{r.scene}/{name}": error for r in group for name, error in r.errors.items()},
            scene=TOTAL,
            method=method,
            network=group[0].network,
            device=group[0].device,
            keyframes=sum(r.keyframes for r in group),
            extent=None,
            median_ms=None,
        )
        for method, group in of_method.items()
    ]


def _result(errors: dict[str, QueryError | None], **others: object) -> SceneResult:
    published = [error for error in errors.values() if error is not None]
    within = sum(error.is_within for error in published)
    missing = len(errors) - len(published)
    return SceneResult.model_validate(
        {
            "queries": len(errors),
            "localized": len(published),
            "outside": len(published) - within,
            "within": within / len(errors),
            "median_rotation_deg": _median([e.rotation_deg for e in published], missing),
            "median_translation_share": _median([e.translation_share for e in published], missing),
            "errors": errors,
            **others,
        }
    )


def _error(record: FrameRecord, extent: float) -> QueryError | None:
    if record.error is None:
        return None
    return QueryError(
        rotation_deg=math.degrees(record.error.rotation),
        translation_share=record.error.translation / extent,
    )


def _median(values: Sequence[float], missing: int) -> float | None:
    """The median where `missing` more values are infinite; None where it is not finite."""
    median = float(np.median([*values, *[math.inf] * missing]))
    return median if math.isfinite(median) else None
