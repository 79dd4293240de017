"""Localizes recorded frames one after another, without ROS."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from dense_reloc_ros.errors import InputError
from dense_reloc_ros.evaluation.metrics.records import FrameRecord
from dense_reloc_ros.evaluation.metrics.scene_coordinates import coordinate_errors
from dense_reloc_ros.geometry.camera import Camera
from dense_reloc_ros.geometry.trajectory import Trajectory
from dense_reloc_ros.localization.result import Localization
from dense_reloc_ros.mapping.sources.source_frame import SourceFrame
from dense_reloc_ros.stamps import NANOSECONDS


class LocalizesImages(Protocol):
    """What is needed of a localizer."""

    def localize(self, image: NDArray[np.uint8], camera: Camera) -> Localization:
        """Where an image (H, W, 3) RGB was taken."""


class LocalizesVideos(Protocol):
    """What is needed of a localizer that remembers earlier images."""

    def localize(self, image: NDArray[np.uint8], camera: Camera, stamp: int) -> Localization:
        """Where an image (H, W, 3) RGB was taken; `stamp` is when, in nanoseconds."""


Answer = Callable[[NDArray[np.uint8], SourceFrame], Localization]


def localize_frames(
    localizer: LocalizesImages,
    frames: Sequence[SourceFrame],
    ground_truth: Trajectory | None = None,
    label: str = "localizing",
) -> list[FrameRecord]:
    """Localizes every frame by itself, with a progress bar of a label; a record for each.

    The true poses are those of `ground_truth` nearest in time, or else the frames' own. A frame
    that cannot be read is recorded with the reason.

    Raises:
        InputError: none of the frames can be read.
    """

    def answer(image: NDArray[np.uint8], frame: SourceFrame) -> Localization:
        return localizer.localize(image, frame.camera)

    return _records(answer, frames, ground_truth, label)


def localize_video(
    localizer: LocalizesVideos,
    frames: Sequence[SourceFrame],
    ground_truth: Trajectory | None = None,
    label: str = "localizing",
) -> list[FrameRecord]:
    """As `localize_frames`, one frame after another of a video."""

    def answer(image: NDArray[np.uint8], frame: SourceFrame) -> Localization:
        return localizer.localize(image, frame.camera, _stamp(frame))

    return _records(answer, frames, ground_truth, label)


def _records(
    answer: Answer, frames: Sequence[SourceFrame], ground_truth: Trajectory | None, label: str
) -> list[FrameRecord]:
    records: list[FrameRecord] = []
    failures: list[InputError] = []
    with tqdm(frames, desc=label, unit="frame") as progress:
        for frame in progress:
            stamp = _stamp(frame)
            truth = frame.T_map_camera if ground_truth is None else ground_truth.at(stamp)
            try:
                image = frame.load_image()
            except InputError as error:
                failures.append(error)
                records.append(FrameRecord(stamp, frame.name, None, str(error), ground_truth=truth))
                continue
            start = time.perf_counter()
            localization = answer(image, frame)
            milliseconds = (time.perf_counter() - start) * 1000
            record = FrameRecord.from_localization(
                stamp, frame.name, localization, milliseconds, truth
            )
            records.append(_with_coordinate_errors(record, localization, frame))
            progress.set_postfix(localized=sum(record.is_localized for record in records))
    if failures and len(failures) == len(records):
        raise failures[0]
    return records


def _with_coordinate_errors(
    record: FrameRecord, localization: Localization, frame: SourceFrame
) -> FrameRecord:
    """The record with the errors of the scene coordinates, where these and depth are known."""
    if localization.coordinates is None or record.ground_truth is None:
        return record
    depth = frame.load_depth()
    if depth is None:
        return record
    errors = coordinate_errors(localization.coordinates, depth, frame.camera, record.ground_truth)
    return replace(record, coordinate_errors=errors)


def _stamp(frame: SourceFrame) -> int:
    return round(frame.timestamp * NANOSECONDS)
