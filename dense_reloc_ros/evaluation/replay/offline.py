"""Localizes recorded frames one after another, without ROS."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from dense_reloc_ros.errors import InputError
from dense_reloc_ros.evaluation.metrics.frame_record import FrameRecord
from dense_reloc_ros.evaluation.metrics.scene_coordinates import coordinate_errors
from dense_reloc_ros.geometry.arrays import FloatArray, RgbImage
from dense_reloc_ros.geometry.camera import Camera
from dense_reloc_ros.geometry.trajectory import Trajectory
from dense_reloc_ros.localization.localizer import Localizer
from dense_reloc_ros.localization.result import Localization
from dense_reloc_ros.mapping.sources.source_frame import SourceFrame
from dense_reloc_ros.progress import show_progress

SINGLE = "single"
"""Each image by itself."""
VIDEO = "video"
"""Each image with the help of those before it."""


class LocalizesImages(Protocol):
    """What is needed of a localizer."""

    def localize(self, image: NDArray[np.uint8], camera: Camera) -> Localization:
        """Where an image (H, W, 3) RGB was taken."""


class LocalizesVideos(Protocol):
    """What is needed of a localizer that remembers earlier images."""

    def localize(self, image: NDArray[np.uint8], camera: Camera, stamp: int) -> Localization:
        """Where an image (H, W, 3) RGB was taken; `stamp` is when, in nanoseconds."""


@dataclass(frozen=True)
class Trial:
    """What localizes the frames of one sequence, in one way or in several that build on another."""

    ways: tuple[str, ...]
    localize: Callable[[RgbImage, SourceFrame], Iterator[Localization]]
    """Gives a result for each of the ways, in their order, each when it is asked for."""


class TrialRecord(NamedTuple):
    """The record of a frame, and which trial gave it in which way."""

    trial: int
    way: str
    record: FrameRecord


def single_images(localizer: LocalizesImages) -> Trial:
    """Each image by itself."""

    def localize(image: RgbImage, frame: SourceFrame) -> Iterator[Localization]:
        yield localizer.localize(image, frame.camera)

    return Trial((SINGLE,), localize)


def whole_video(localizer: LocalizesVideos) -> Trial:
    """Each image with its time."""

    def localize(image: RgbImage, frame: SourceFrame) -> Iterator[Localization]:
        yield localizer.localize(image, frame.camera, frame.stamp)

    return Trial((VIDEO,), localize)


def localize_frames(
    trial: Trial,
    frames: Sequence[SourceFrame],
    ground_truth: Trajectory | None = None,
    label: str = "localizing",
) -> list[FrameRecord]:
    """The records of `localize_in_turns` for one trial that localizes in one way."""
    return [record for _, _, record in localize_in_turns([trial], frames, ground_truth, label)]


def localize_together(
    localizer: Localizer, frames: Sequence[SourceFrame], ground_truth: Trajectory | None = None
) -> list[FrameRecord]:
    """As `localize_frames` of single images, of which the localizer takes several at once.

    Latencies are the sums of stages then, with a share of those that images have in common.
    """
    if localizer.images_at_once == 1:
        return localize_frames(single_images(localizer), frames, ground_truth)
    records: dict[int, FrameRecord] = {}
    failures: list[InputError] = []
    taken: deque[tuple[int, SourceFrame]] = deque()

    def images() -> Iterator[tuple[RgbImage, Camera]]:
        for number, frame in enumerate(show_progress(frames, "localizing")):
            try:
                image = frame.load_image()
            except InputError as error:
                failures.append(error)
                records[number] = _unread(frame, error, ground_truth)
            else:
                taken.append((number, frame))
                yield image, frame.camera

    for localization in localizer.localize_many(images()):
        number, frame = taken.popleft()
        milliseconds = sum(localization.stage_milliseconds.values())
        records[number] = _record(frame, localization, milliseconds, ground_truth)
    if failures and len(failures) == len(frames):
        raise failures[0]
    return [records[number] for number in range(len(frames))]


def localize_in_turns(
    trials: Sequence[Trial],
    frames: Sequence[SourceFrame],
    ground_truth: Trajectory | None = None,
    label: str = "localizing",
) -> list[TrialRecord]:
    """Gives every frame to all trials before the next, so that a change of load hits all alike.

    The true poses are those of `ground_truth` nearest in time, or else the frames' own. A latency
    is the time from the image to the result, with what the ways before took. A frame that cannot be
    read is recorded with the reason. Shows a progress bar of a label.

    Raises:
        InputError: none of the frames can be read.
    """
    records: list[TrialRecord] = []
    failures: list[InputError] = []
    localized = 0
    with show_progress(frames, label) as progress:
        for frame in progress:
            try:
                image = frame.load_image()
            except InputError as error:
                failures.append(error)
                unread = _unread(frame, error, ground_truth)
                records += [
                    TrialRecord(index, way, unread)
                    for index, trial in enumerate(trials)
                    for way in trial.ways
                ]
                continue
            for index, trial in enumerate(trials):
                start, results = time.perf_counter(), trial.localize(image, frame)
                for way, localization in zip(trial.ways, results, strict=True):
                    milliseconds = (time.perf_counter() - start) * 1000
                    record = _record(frame, localization, milliseconds, ground_truth)
                    records.append(TrialRecord(index, way, record))
                    localized += record.is_localized
            progress.set_postfix(localized=localized)
    if failures and len(failures) == len(frames):
        raise failures[0]
    return records


def _truth(frame: SourceFrame, ground_truth: Trajectory | None) -> FloatArray | None:
    return frame.T_map_camera if ground_truth is None else ground_truth.at(frame.stamp)


def _unread(frame: SourceFrame, error: InputError, ground_truth: Trajectory | None) -> FrameRecord:
    truth = _truth(frame, ground_truth)
    return FrameRecord(frame.stamp, frame.name, None, str(error), ground_truth=truth)


def _record(
    frame: SourceFrame,
    localization: Localization,
    milliseconds: float,
    ground_truth: Trajectory | None,
) -> FrameRecord:
    """With the errors of the scene coordinates, where these and depth are known."""
    truth = _truth(frame, ground_truth)
    record = FrameRecord.from_localization(
        frame.stamp, frame.name, localization, milliseconds, truth
    )
    if localization.coordinates is None or truth is None:
        return record
    depth = frame.load_depth()
    if depth is None:
        return record
    errors = coordinate_errors(localization.coordinates, depth, frame.camera, truth)
    return replace(record, coordinate_errors=errors)
