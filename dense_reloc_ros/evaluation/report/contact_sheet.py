"""The frames that went worst, as pictures with the map's points drawn into them."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from numpy.typing import NDArray

from dense_reloc_ros.errors import InputError
from dense_reloc_ros.evaluation.metrics.accuracy import WRONG
from dense_reloc_ros.evaluation.metrics.frame_record import FrameRecord
from dense_reloc_ros.evaluation.report.plots import WRONG_COLOUR
from dense_reloc_ros.geometry.arrays import FloatArray
from dense_reloc_ros.geometry.camera import Camera
from dense_reloc_ros.geometry.se3 import inverse
from dense_reloc_ros.mapping.sources.source_frame import SourceFrame
from dense_reloc_ros.scene.scene_map import SceneMap

WORST_FRAMES = 5
REJECTED_FRAMES = 3
COLUMNS = 3
DRAWN_POINTS = 250
# Bright ones, to be told apart on photographs.
AT_GROUND_TRUTH = "#00E5FF"
AT_ESTIMATE = "#FFD400"
POINT_STYLE: dict[str, Any] = {"ls": "", "marker": "o", "ms": 3.5, "mec": "black", "mew": 0.5}


@dataclass(frozen=True)
class ContactFrame:
    """One picture of the sheet."""

    record: FrameRecord
    image: NDArray[np.uint8]
    """(H, W, 3) RGB, undistorted."""
    camera: Camera
    """Its pinhole camera."""
    points: FloatArray
    """(N, 3) map points to draw, metres."""


def contact_frames(
    records: Sequence[FrameRecord], frames: Sequence[SourceFrame], scene_map: SceneMap
) -> list[ContactFrame]:
    """The worst frames of a run and some of those without a pose.

    Drawn are the points of the keyframes that a frame was localized against. Frames whose image
    cannot be read are left out.
    """
    by_name = {frame.name: frame for frame in frames}
    pictures = []
    for record in [*worst_frames(records), *rejected_frames(records)]:
        frame = by_name[record.name]
        try:
            image = frame.load_undistorted()
        except InputError:
            continue
        points = _points_of_keyframes(scene_map, record.keyframes)
        pictures.append(ContactFrame(record, image, frame.camera.pinhole(), points))
    return pictures


def worst_frames(records: Sequence[FrameRecord], count: int = WORST_FRAMES) -> list[FrameRecord]:
    """The published poses that are furthest off, worst first.

    Without a ground truth those with the lowest score.
    """
    published = [record for record in records if record.is_localized]
    with_error = [record for record in published if record.error is not None]
    if with_error:
        return sorted(with_error, key=severity, reverse=True)[:count]
    scored = [record for record in published if record.score is not None]
    return sorted(scored, key=lambda record: record.score or 0.0)[:count]


def rejected_frames(
    records: Sequence[FrameRecord], count: int = REJECTED_FRAMES
) -> list[FrameRecord]:
    """Frames without a pose, evenly spread over the run."""
    rejected = [record for record in records if not record.is_localized]
    picks = np.unique(np.linspace(0, len(rejected) - 1, min(count, len(rejected))).astype(int))
    return [rejected[index] for index in picks]


def _points_of_keyframes(scene_map: SceneMap, keyframes: Sequence[int]) -> FloatArray:
    """The points (N, 3) that at least one of the keyframes sees."""
    seen = [scene_map.observation_points[scene_map.observations(k)].numpy() for k in keyframes]
    if not seen:
        return np.zeros((0, 3))
    return np.asarray(scene_map.points.numpy()[np.unique(np.concatenate(seen))], dtype=np.float64)


def severity(record: FrameRecord) -> float:
    """The error of a frame in units of what counts as wrong; both parts weigh alike."""
    error = record.error
    if error is None:
        return -1.0
    return max(
        error.translation / WRONG.translation_m, math.degrees(error.rotation) / WRONG.rotation_deg
    )


def contact_sheet(frames: Sequence[ContactFrame]) -> Figure:
    """At least one picture with map points where the published pose and the ground truth put them.

    The last cell says which colour is which.
    """
    rows = len(frames) // COLUMNS + 1
    width = 4.2
    height = width * frames[0].camera.height / frames[0].camera.width + 0.5
    figure = Figure(figsize=(width * COLUMNS, height * rows), layout="constrained")
    cells = figure.subplots(rows, COLUMNS, squeeze=False).ravel()
    for axes in cells:
        axes.set_axis_off()
    for axes, frame in zip(cells, frames, strict=False):
        _draw(axes, frame)
    _draw_key(cells[-1])
    return figure


def _draw(axes: Axes, frame: ContactFrame) -> None:
    record, camera = frame.record, frame.camera
    axes.imshow(frame.image)
    points = _some_visible(frame)
    pixels = {
        colour: _project(points, pose, camera)
        for colour, pose in (
            (AT_GROUND_TRUTH, record.ground_truth),
            (AT_ESTIMATE, record.T_map_camera),
        )
        if pose is not None
    }
    if len(pixels) == 2:
        segments = np.stack(list(pixels.values()), axis=1)
        visible = np.isfinite(segments).all(axis=(1, 2))
        axes.add_collection(LineCollection(list(segments[visible]), colors="white", lw=0.8))
    for colour, projected in pixels.items():
        axes.plot(projected[:, 0], projected[:, 1], color=colour, **POINT_STYLE)
    axes.set_xlim(-0.5, camera.width - 0.5)
    axes.set_ylim(camera.height - 0.5, -0.5)
    is_bad = record.error is not None and not WRONG.holds(record.error)
    axes.set_title(_caption(record), fontsize=10, color=WRONG_COLOUR if is_bad else "black")


def _some_visible(frame: ContactFrame) -> FloatArray:
    """Points (N, 3), not too many, that are in the picture where it was taken."""
    record = frame.record
    pose = record.T_map_camera if record.ground_truth is None else record.ground_truth
    if pose is None:
        return np.zeros((0, 3))
    is_visible = np.isfinite(_project(frame.points, pose, frame.camera)).all(axis=1)
    points = frame.points[is_visible]
    chosen = np.linspace(0, len(points) - 1, min(DRAWN_POINTS, len(points))).astype(int)
    return np.asarray(points[chosen])


def _draw_key(axes: Axes) -> None:
    axes.plot([], [], color=AT_GROUND_TRUTH, label="point at the ground truth", **POINT_STYLE)
    axes.plot([], [], color=AT_ESTIMATE, label="point at the published pose", **POINT_STYLE)
    axes.legend(loc="center", fontsize=11, facecolor="#606060", labelcolor="white")


def _caption(record: FrameRecord) -> str:
    if not record.is_localized:
        return f"{record.name}: no pose\n{textwrap.shorten(record.reason, 60)}"
    score = "" if record.score is None else f", score {record.score:.2f}"
    if record.error is None:
        return f"{record.name}{score}"
    centimetres, degrees = 100 * record.error.translation, math.degrees(record.error.rotation)
    return f"{record.name}\n{centimetres:.1f} cm, {degrees:.2f}°{score}"


def _project(points: FloatArray, T_map_camera: FloatArray, camera: Camera) -> FloatArray:
    """Pixels (N, 2) of map points (N, 3), NaN behind the camera or outside the image."""
    T_camera_map = inverse(T_map_camera)
    seen = points @ T_camera_map[:3, :3].T + T_camera_map[:3, 3]
    depth = np.where(seen[:, 2] > 1e-3, seen[:, 2], np.nan)
    pixels = np.stack(
        [
            camera.fx * seen[:, 0] / depth + camera.cx,
            camera.fy * seen[:, 1] / depth + camera.cy,
        ],
        axis=1,
    )
    outside = (pixels < -0.5) | (pixels > np.array([camera.width, camera.height]) - 0.5)
    pixels[outside.any(axis=1)] = np.nan
    return pixels
