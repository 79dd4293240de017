"""Every frame without a pose or with a wrong one, beside what the map has of its place."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import cv2

from dense_reloc_ros.errors import InputError, MapError
from dense_reloc_ros.evaluation.metrics.frame_record import FrameRecord
from dense_reloc_ros.evaluation.report.failure_advice import (
    MapViews,
    NearestKeyframe,
    advice,
    failed,
)
from dense_reloc_ros.geometry.arrays import RgbImage
from dense_reloc_ros.mapping.sources.source_frame import SourceFrame
from dense_reloc_ros.scene.scene_map import SceneMap

PICTURE_HEIGHT = 150
JPEG_QUALITY = 75


@dataclass(frozen=True)
class Failure:
    """What the report says of one frame."""

    name: str
    outcome: str
    """The reason why there is no pose, or how far off the pose is."""
    nearest: str
    """The keyframe nearest to where it was taken; empty where that is unknown."""
    advice: Sequence[str]
    pictures: Mapping[str, bytes]
    """Small JPEG images by what they show."""


def explain_failures(
    records: Sequence[FrameRecord], frames: Sequence[SourceFrame], scene_map: SceneMap
) -> list[Failure]:
    """One for every frame without a pose or with a wrong one, in the records' order."""
    by_name = {frame.name: frame for frame in frames}
    views = MapViews(scene_map)
    return [_explain(record, by_name[record.name], views) for record in records if failed(record)]


def _explain(record: FrameRecord, frame: SourceFrame, views: MapViews) -> Failure:
    image = _image_of(frame)
    nearest = None if record.ground_truth is None else views.nearest(record.ground_truth)
    shown = {"frame": image}
    if record.keyframes:
        retrieved = record.keyframes[0]
        shown[f"retrieved: {_name(views, retrieved)}"] = _keyframe_image(views, retrieved)
    if nearest is not None:
        shown[f"nearest: {_name(views, nearest.index)}"] = _keyframe_image(views, nearest.index)
    return Failure(
        name=record.name,
        outcome=_outcome(record),
        nearest="" if nearest is None else _description(nearest, record, views),
        advice=advice(record, image, views, nearest),
        pictures={label: _jpeg(picture) for label, picture in shown.items() if picture is not None},
    )


def _outcome(record: FrameRecord) -> str:
    if record.error is None:
        return record.reason
    degrees = math.degrees(record.error.rotation)
    return f"wrong by {record.error.translation:.2f} m, {degrees:.1f}°"


def _description(nearest: NearestKeyframe, record: FrameRecord, views: MapViews) -> str:
    metres = nearest.distance / record.metre
    return f"{_name(views, nearest.index)}: {metres:.2f} m, {math.degrees(nearest.angle):.0f}°"


def _name(views: MapViews, keyframe: int) -> str:
    return views.scene_map.information.keyframe_names[keyframe]


def _image_of(frame: SourceFrame) -> RgbImage | None:
    try:
        return frame.load_undistorted()
    except InputError:
        return None


def _keyframe_image(views: MapViews, keyframe: int) -> RgbImage | None:
    """None where the map stores no images, or this one cannot be read."""
    read = views.scene_map.images
    try:
        return None if read is None else read(keyframe)
    except MapError:
        return None


def _jpeg(image: RgbImage) -> bytes:
    width = max(round(image.shape[1] * PICTURE_HEIGHT / image.shape[0]), 1)
    small = cv2.resize(image, (width, PICTURE_HEIGHT), interpolation=cv2.INTER_AREA)
    quality = [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]
    _, content = cv2.imencode(".jpg", cv2.cvtColor(small, cv2.COLOR_RGB2BGR), quality)
    return content.tobytes()
