"""Features times pose estimators on the same degraded queries, as in the tables of the thesis.

The features of an image and its retrieval are computed once for all estimators, which therefore
see the same, and their time counts for each of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from pydantic import BaseModel, ConfigDict
from tqdm import tqdm

from dense_reloc_ros.configuration import LocalizerConfiguration
from dense_reloc_ros.errors import ConfigurationError, InputError
from dense_reloc_ros.evaluation.benchmarks.comparison import outside_thresholds
from dense_reloc_ros.evaluation.benchmarks.robustness import at_level
from dense_reloc_ros.evaluation.metrics.metrics import Duration, stage_durations
from dense_reloc_ros.evaluation.metrics.records import FrameRecord
from dense_reloc_ros.features.extractor import DenseFeatures, FeatureExtractor, image_to_tensor
from dense_reloc_ros.geometry.arrays import RgbImage
from dense_reloc_ros.geometry.camera import Camera
from dense_reloc_ros.localization.method import Method
from dense_reloc_ros.localization.methods import find_method
from dense_reloc_ros.localization.sparse_to_dense import ESTIMATORS, SparseToDenseLocalizer
from dense_reloc_ros.mapping.sources.source_frame import SourceFrame
from dense_reloc_ros.scene.scene_map import SceneMap
from dense_reloc_ros.stamps import NANOSECONDS
from dense_reloc_ros.stopwatch import Stopwatch

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
    """All methods on all networks at all levels; every frame has its turn with all of them.

    The methods are those of `dense_methods`.

    Raises:
        ConfigurationError: an unknown level.
        MapError: a map that was not made of its features.
        InputError: frames that are unreadable or have no true poses.
    """
    known = [frame for frame in frames if frame.T_map_camera is not None]
    if not known:
        raise InputError("the frames have no true poses to compare with: --ground-truth TUM")
    benches = [_NetworkBench(one, methods, configuration) for one in maps]
    entries = []
    for level, seen in {level: at_level(known, level) for level in levels}.items():
        records: list[list[list[FrameRecord]]] = [[] for _ in benches]
        for frame in tqdm(seen, desc=level, unit="frame"):
            image = frame.load_image()
            for bench, of_bench in zip(benches, records, strict=True):
                of_bench.append(bench.localize(frame, image))
        for bench, of_bench in zip(benches, records, strict=True):
            entries += bench.entries(level, of_bench)
    return entries


class _NetworkBench:
    """The estimators on the features of one network."""

    def __init__(
        self, given: NetworkMap, methods: Sequence[Method], configuration: LocalizerConfiguration
    ) -> None:
        self._extractor = given.extractor
        self._localizers = [
            SparseToDenseLocalizer(
                given.scene_map, configuration, given.extractor.device, method.name, given.extractor
            )
            for method in methods
        ]
        self._window = configuration.nre.window
        self._features_mb: float | None = None
        self._coarse_mb: float | None = None
        self._fine_mb = 0.0

    @torch.inference_mode()
    def localize(self, frame: SourceFrame, image: RgbImage) -> list[FrameRecord]:
        """The best pose of a frame by each estimator, whether it would be published or not."""
        device = self._extractor.device
        shared = Stopwatch(device)
        with shared.stage("undistort"):
            undistorted = frame.camera.undistort(image)
        with shared.stage("features"):
            features = self._extractor(image_to_tensor(undistorted, device))
        with shared.stage("retrieval"):
            places = self._localizers[0].retrieve(features)
        camera = frame.camera.pinhole()
        if self._coarse_mb is None:
            self._measure(places, features, camera)
        records = []
        for localizer in self._localizers:
            own = Stopwatch(device)
            found = localizer.estimate_in(places, features, camera, None, own)
            best = max(found, key=lambda estimate: estimate.score, default=None)
            stages = {**shared.milliseconds, **own.milliseconds}
            records.append(
                FrameRecord(
                    stamp=round(frame.timestamp * NANOSECONDS),
                    name=frame.name,
                    T_map_camera=best.T_map_camera if best else None,
                    ground_truth=frame.T_map_camera,
                    stage_milliseconds=stages,
                )
            )
        return records

    def _measure(self, places: list[list[int]], features: DenseFeatures, camera: Camera) -> None:
        """What the tensors of a frame take; those of matching only where there is a place."""
        self._features_mb = sum(_megabytes(level.values) for level in features.levels.values())
        if places:
            problem = self._localizers[0].match(features, places[0], camera)[1]
            self._coarse_mb = _megabytes(problem.log_coarse)
            self._fine_mb = _megabytes(problem.log_coarse[:, :1, :1]) * self._window**2

    def entries(self, level: str, records: Sequence[Sequence[FrameRecord]]) -> list[TableEntry]:
        """What the records of frames by all estimators amount to."""
        entries = []
        for localizer, of_method in zip(self._localizers, zip(*records, strict=True), strict=True):
            fine_mb = 0.0 if localizer.method in WITHOUT_FINE_MAPS else self._fine_mb
            entries.append(
                TableEntry(
                    level=level,
                    network=self._extractor.signature.network,
                    method=localizer.method,
                    device=str(localizer.device),
                    keyframes=localizer.scene_map.keyframe_count,
                    frames=len(of_method),
                    outside=outside_thresholds(of_method),
                    frame_ms=Duration.of([sum(r.stage_milliseconds.values()) for r in of_method]),
                    stage_ms=stage_durations(of_method),
                    features_mb=self._features_mb or 0.0,
                    correspondence_maps_mb=None
                    if self._coarse_mb is None
                    else self._coarse_mb + fine_mb,
                )
            )
        return entries


def _megabytes(tensor: torch.Tensor) -> float:
    return tensor.numel() * tensor.element_size() / MEGABYTE
