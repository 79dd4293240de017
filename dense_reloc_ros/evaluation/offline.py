"""Localizes recorded frames one after another, without ROS."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from dense_reloc_ros.errors import InputError
from dense_reloc_ros.evaluation.records import FrameRecord
from dense_reloc_ros.evaluation.trajectory import NANOSECONDS, Trajectory
from dense_reloc_ros.geometry.camera import Camera
from dense_reloc_ros.localization import Localization
from dense_reloc_ros.scene.sources.source_frame import SourceFrame


class LocalizesImages(Protocol):
    """What is needed of a localizer."""

    def localize(self, image: NDArray[np.uint8], camera: Camera) -> Localization:
        """Where an image (H, W, 3) RGB was taken."""


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
    records: list[FrameRecord] = []
    failures: list[InputError] = []
    with tqdm(frames, desc=label, unit="frame") as progress:
        for frame in progress:
            stamp = round(frame.timestamp * NANOSECONDS)
            truth = frame.T_map_camera if ground_truth is None else ground_truth.at(stamp)
            try:
                image = frame.load_image()
            except InputError as error:
                failures.append(error)
                records.append(FrameRecord(stamp, frame.name, None, str(error), ground_truth=truth))
                continue
            start = time.perf_counter()
            localization = localizer.localize(image, frame.camera)
            milliseconds = (time.perf_counter() - start) * 1000
            records.append(
                FrameRecord.from_localization(stamp, frame.name, localization, milliseconds, truth)
            )
            progress.set_postfix(localized=sum(record.is_localized for record in records))
    if failures and len(failures) == len(records):
        raise failures[0]
    return records
