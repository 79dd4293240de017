"""Features times pose estimators on the same degraded queries, as in the tables of the thesis."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from pydantic import BaseModel, ConfigDict

from dense_reloc_ros.configuration import LocalizerConfiguration
from dense_reloc_ros.errors import ConfigurationError
from dense_reloc_ros.evaluation.benchmarks.condition_results import outside_thresholds
from dense_reloc_ros.evaluation.benchmarks.runner import QuerySet, grouped, run_benchmark
from dense_reloc_ros.evaluation.benchmarks.systems import System, best_poses
from dense_reloc_ros.evaluation.metrics.accuracy import Duration, stage_durations
from dense_reloc_ros.features.extractor import FeatureExtractor, image_to_tensor
from dense_reloc_ros.localization.estimators import ESTIMATORS
from dense_reloc_ros.localization.method import Method
from dense_reloc_ros.localization.methods import find_method
from dense_reloc_ros.localization.sparse_to_dense import SparseToDenseLocalizer
from dense_reloc_ros.mapping.sources.source_frame import SourceFrame
from dense_reloc_ros.scene.scene_map import SceneMap

MEGABYTE = 1e6
WITHOUT_FINE_MAPS = ("nre_coarse",)
"""Estimators that look at fine maps for nothing but the score of the pose."""


class TableEntry(BaseModel):
    """What an estimator reaches with some features at a level, and what that costs."""

    model_config = ConfigDict(frozen=True)

    level: str
    network: str
    method: str
    device: str
    keyframes: int
    """Of the map."""
    frames: int
    """With a ground truth."""
    outside: dict[str, float]
    """Share of these frames whose best pose is outside each threshold, or that have none."""
    frame_ms: Duration
    stage_ms: dict[str, Duration]
    """Over the frames that reached each stage, as in thesis Table 4.4."""
    features_mb: float
    """Of the dense features of an image, in MB of 10⁶ bytes."""
    correspondence_maps_mb: float | None
    """Of an image's correspondence maps, coarse and fine; None where nothing was retrieved."""


@dataclass(frozen=True)
class NetworkMap:
    """Features, and the map that was made of them."""

    extractor: FeatureExtractor
    scene_map: SceneMap


@dataclass(frozen=True)
class _Memory:
    """What the tensors of a frame take, MB."""

    features: float
    coarse_maps: float | None
    fine_maps: float


def dense_methods(names: Sequence[str]) -> list[Method]:
    """The methods of these names.

    Raises:
        ConfigurationError: one that is unknown or does not work on dense features.
    """
    methods = [find_method(name) for name in names]
    for method in methods:
        if method.name not in ESTIMATORS:
            raise ConfigurationError(f"method '{method.name}' does not work on dense features")
    return methods


def compare_estimators(
    maps: Sequence[NetworkMap],
    methods: Sequence[Method],
    configuration: LocalizerConfiguration,
    frames: Sequence[SourceFrame],
    levels: Sequence[str],
) -> list[TableEntry]:
    """All methods (those of `dense_methods`) on all networks at all levels.

    Raises:
        ConfigurationError: an unknown level.
        MapError: a map that was not made of its features.
        InputError: frames that are unreadable.
    """
    systems, memory = [], {}
    for one in maps:
        device, network = one.extractor.device, one.extractor.signature.network
        localizers = [
            SparseToDenseLocalizer(one.scene_map, configuration, device, method.name, one.extractor)
            for method in methods
        ]
        systems += [System(localizer, Path(network), best_poses) for localizer in localizers]
        memory[network] = _measure(localizers[0], one.extractor, frames[0])
    rows = run_benchmark(systems, QuerySet("queries", frames), levels)
    entries = []
    for group in grouped(rows, lambda c: (c.degradation, c.map, c.method)).values():
        condition, records = group[0].condition, [row.frame for row in group]
        used = memory[condition.map]
        fine_maps = 0.0 if condition.method in WITHOUT_FINE_MAPS else used.fine_maps
        latencies = [r.latency_milliseconds for r in records if r.latency_milliseconds is not None]
        entries.append(
            TableEntry(
                level=condition.degradation,
                network=condition.map,
                method=condition.method,
                device=condition.device,
                keyframes=condition.keyframes,
                frames=len(records),
                outside=outside_thresholds(records),
                frame_ms=Duration.of(latencies),
                stage_ms=stage_durations(records),
                features_mb=used.features,
                correspondence_maps_mb=None
                if used.coarse_maps is None
                else used.coarse_maps + fine_maps,
            )
        )
    return entries


@torch.inference_mode()
def _measure(
    localizer: SparseToDenseLocalizer, extractor: FeatureExtractor, frame: SourceFrame
) -> _Memory:
    image = image_to_tensor(frame.camera.undistort(frame.load_image()), extractor.device)
    features = extractor(image)
    in_features = sum(_megabytes(level.values) for level in features.levels.values())
    places = localizer.retrieve(features)
    if not places:
        return _Memory(in_features, None, 0.0)
    problem = localizer.match(features, places[0], frame.camera.pinhole())[1]
    window = localizer.configuration.nre.window
    cell = _megabytes(problem.log_coarse[:, :1, :1])
    return _Memory(in_features, _megabytes(problem.log_coarse), cell * window**2)


def _megabytes(tensor: torch.Tensor) -> float:
    return tensor.numel() * tensor.element_size() / MEGABYTE
