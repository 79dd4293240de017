"""Which systems a benchmark compares: methods on maps, and how each localizes a sequence."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from dense_reloc_ros.configuration import LocalizerConfiguration
from dense_reloc_ros.errors import ConfigurationError
from dense_reloc_ros.evaluation.replay.offline import (
    SINGLE,
    Trial,
    single_images,
    whole_video,
)
from dense_reloc_ros.geometry.arrays import RgbImage
from dense_reloc_ros.geometry.trajectory import Trajectory
from dense_reloc_ros.localization.dense_scene_matching import DsmLocalizer
from dense_reloc_ros.localization.factory import localizer_for
from dense_reloc_ros.localization.localizer import Localizer
from dense_reloc_ros.localization.method import Method
from dense_reloc_ros.localization.methods import find_method
from dense_reloc_ros.localization.result import Localization, Status
from dense_reloc_ros.mapping.sources.source_frame import SourceFrame
from dense_reloc_ros.scene.reader import load_map
from dense_reloc_ros.scene.scene_map import MapInformation, SceneMap
from dense_reloc_ros.temporal.dsm_video import DsmVideo
from dense_reloc_ros.temporal.fused_frames import LocalizedFrame
from dense_reloc_ros.temporal.fusion_configuration import TemporalConfiguration
from dense_reloc_ros.temporal.temporal_localizer import TemporalLocalizer

BEST_POSE = "best pose"
"""The way that gives the best pose of an image, whether it would be published or not."""
RAW, FUSED = "raw", "fused"
"""By the fused correlation before the filter, and as published after it."""
BUSY = "busy"
"""The way that localizes images while other processes are busy."""

StartTrial = Callable[[Localizer], Trial]


@dataclass(frozen=True)
class System:
    """A method on a map and a device, ready to localize, and the way it does."""

    localizer: Localizer
    map: Path
    start: StartTrial = single_images
    """Called at the beginning of each sequence of frames."""

    @property
    def method(self) -> str:
        return self.localizer.method

    @property
    def keyframes(self) -> int:
        """Of its map."""
        return self.localizer.scene_map.keyframe_count

    @property
    def device(self) -> str:
        return str(self.localizer.device)

    @property
    def map_information(self) -> MapInformation:
        return self.localizer.scene_map.information


def open_systems(
    maps: Sequence[Path],
    methods: Sequence[str] | None,
    configuration: LocalizerConfiguration,
    device: torch.device,
) -> list[System]:
    """Each method on every map that is made for its kind; None is each map's own method.

    Raises:
        MapError: a map that cannot be used.
        ConfigurationError: an unknown method, or one that none of the maps is made for.
    """
    loaded = [(path, load_map(path)) for path in maps]
    pairs: list[tuple[str | None, Path, SceneMap]] = []
    if methods is None:
        pairs = [(None, path, scene_map) for path, scene_map in loaded]
    for method in map(find_method, methods or ()):
        fitting = [(method.name, *item) for item in loaded if is_made_for(item[1], method)]
        if not fitting:
            raise ConfigurationError(
                f"none of the maps is made for method '{method.name}': build one with "
                f"map build --method {method.name}, and add it with another --map"
            )
        pairs += fitting
    return [
        System(localizer_for(scene_map, configuration, name, device), path)
        for name, path, scene_map in pairs
    ]


def is_made_for(scene_map: SceneMap, method: Method) -> bool:
    """Whether a map holds what a method of this kind needs; its network is the map's."""
    return scene_map.information.signature.method == method.kind


def best_poses(localizer: Localizer) -> Trial:
    """Each image by itself; the best pose counts as published, whatever its score is."""

    def localize(image: RgbImage, frame: SourceFrame) -> Iterator[Localization]:
        yield _as_if_believed(localizer.localize(image, frame.camera))

    return Trial((BEST_POSE,), localize)


def published_and_best_poses(localizer: Localizer) -> Trial:
    """Each image by itself, as it is published, and its best pose whether it is or not."""

    def localize(image: RgbImage, frame: SourceFrame) -> Iterator[Localization]:
        localization = localizer.localize(image, frame.camera)
        yield localization
        yield _as_if_believed(localization)

    return Trial((SINGLE, BEST_POSE), localize)


def _as_if_believed(localization: Localization) -> Localization:
    if localization.status is Status.REJECTED and localization.estimate is not None:
        return replace(localization, status=Status.LOCALIZED, reason="")
    return localization


def with_fusion(
    configuration: TemporalConfiguration, odometry: Trajectory | None = None
) -> StartTrial:
    """Each image by itself, and fused over time: before the filter, and after it.

    With T_odom_camera by `odometry`, if there is any.
    """

    def start(localizer: Localizer) -> Trial:
        fusion = TemporalLocalizer(localizer, configuration)

        def localize(image: RgbImage, frame: SourceFrame) -> Iterator[Localization]:
            single = localizer.localize(image, frame.camera)
            yield single
            camera = frame.camera.pinhole()
            T_odom_camera = odometry.between(frame.stamp) if odometry else None
            fused = fusion.fuse(
                LocalizedFrame(frame.stamp, camera, single.features, single, T_odom_camera)
            )
            yield fused.raw
            yield fused.localization

        return Trial((SINGLE, RAW, FUSED), localize)

    return start


def dsm_ways(localizer: Localizer) -> list[StartTrial]:
    """How a localizer is compared: single images, and the video where it is one of DSM."""
    if not isinstance(localizer, DsmLocalizer):
        return [single_images]
    return [single_images, lambda _: whole_video(DsmVideo(localizer))]
