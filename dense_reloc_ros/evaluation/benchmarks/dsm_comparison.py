"""DSM on single images and on the video that they are, beside other methods (DSM, Tables 1, 2)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch

from dense_reloc_ros.configuration import LocalizerConfiguration
from dense_reloc_ros.evaluation.metrics.records import FrameRecord
from dense_reloc_ros.evaluation.metrics.scene_coordinates import CoordinateErrors
from dense_reloc_ros.evaluation.replay.offline import localize_frames, localize_video
from dense_reloc_ros.evaluation.report.summary import RunInformation, Summary, summarize
from dense_reloc_ros.localization.dense_scene_matching import DsmLocalizer
from dense_reloc_ros.localization.factory import localizer_for
from dense_reloc_ros.localization.methods import DEFAULT_METHOD, find_method
from dense_reloc_ros.mapping.coordinate_maps import with_coordinates
from dense_reloc_ros.mapping.map_of_source import MapSource, describer_for, image_of, make_map
from dense_reloc_ros.mapping.sources.source_frame import SourceFrame
from dense_reloc_ros.scene.progress import Progress, silent
from dense_reloc_ros.scene.scene_map import SceneMap
from dense_reloc_ros.temporal.dsm_video import DsmVideo

ALL = "all"
"""Instead of the name of a scene."""


class DsmResult(Summary):
    """What a method reaches in a scene: the numbers of report.json."""

    scene: str
    is_video: bool
    """Whether it knew the image before."""
    keyframes: int
    """Of the map, or of all maps."""


@dataclass(frozen=True)
class Run:
    """The frames of a scene localized in one way."""

    scene: str
    information: RunInformation
    is_video: bool
    keyframes: int
    records: Sequence[FrameRecord]

    @property
    def label(self) -> str:
        """For people: how it was localized."""
        return f"{self.information.method}, {'video' if self.is_video else 'single'}"

    @property
    def coordinate_errors(self) -> list[CoordinateErrors]:
        return [r.coordinate_errors for r in self.records if r.coordinate_errors is not None]

    def result(self) -> DsmResult:
        """The numbers."""
        return DsmResult(
            scene=self.scene,
            is_video=self.is_video,
            keyframes=self.keyframes,
            **summarize(self.records, self.information).model_dump(),
        )


def map_with_coordinates(
    source: MapSource, every: int, device: torch.device, progress: Progress = silent
) -> SceneMap:
    """The map of every so many frames of a source, with what DSM needs, in memory.

    Raises:
        InputError: frames that cannot be used, or a keyframe without depth.
    """
    frames = source.frames[::every]
    describer = describer_for(find_method(DEFAULT_METHOD), None, device)
    scene_map = make_map(source, frames, describer, progress=progress)
    scene_map = with_coordinates(scene_map, frames, progress=progress)
    return replace(scene_map, images=image_of(scene_map, frames))


def localize_scene(
    scene: str,
    scene_map: SceneMap,
    frames: Sequence[SourceFrame],
    methods: Sequence[str],
    configuration: LocalizerConfiguration,
    device: torch.device,
) -> list[Run]:
    """The frames of a scene by each method; by those of DSM also as a video.

    Raises:
        ConfigurationError: an unknown method, or one whose weights are missing.
        InputError: none of the frames can be read.
    """
    runs = []
    for method in methods:
        localizer = localizer_for(scene_map, configuration, method, device)
        information = RunInformation(
            method=method,
            device=str(device),
            map_revision=scene_map.information.revision,
            map=scene_map.information.source,
            queries=scene,
            mode="localize",
        )
        count = scene_map.keyframe_count
        label = f"{scene}, {method}"
        records = localize_frames(localizer, frames, label=label)
        runs.append(Run(scene, information, False, count, records))
        if isinstance(localizer, DsmLocalizer):
            records = localize_video(DsmVideo(localizer), frames, label=f"{label}, video")
            runs.append(Run(scene, information, True, count, records))
    return runs


def pooled(runs: Sequence[Run]) -> list[Run]:
    """The runs of all scenes together, one for each way."""
    groups: dict[str, list[Run]] = {}
    for run in runs:
        groups.setdefault(run.label, []).append(run)
    return [
        Run(
            ALL,
            replace(group[0].information, queries=ALL, map=ALL, map_revision=""),
            group[0].is_video,
            sum(run.keyframes for run in group),
            [record for run in group for record in run.records],
        )
        for group in groups.values()
    ]
