"""One picture of a demonstration: an image with the map's points in it, and the way from above."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dense_reloc_ros.evaluation.metrics.frame_record import FrameRecord
from dense_reloc_ros.evaluation.report.contact_sheet import ContactFrame
from dense_reloc_ros.geometry.arrays import FloatArray
from dense_reloc_ros.geometry.camera import Camera
from dense_reloc_ros.geometry.se3 import inverse, rigid, transformed
from dense_reloc_ros.rendering.raycaster import Raycaster
from dense_reloc_ros.rendering.room import Room

HEIGHT_ABOVE = 40.0
"""Metres from which the room is seen from above; far, so that it looks like a plan."""
PIXELS_PER_METRE = 80
KEYFRAME = "#FFFFFF"
GROUND_TRUTH = "#202020"
ESTIMATE = "#00E5FF"
REJECTED = "#FF4000"
ARROW_LENGTH = 0.22
"""Metres."""


def overview_figure(
    frame: ContactFrame,
    records: Sequence[FrameRecord],
    keyframe_poses: FloatArray,
    room: Room,
    raycaster: Raycaster,
) -> Figure:
    """A localized frame beside the room from above with keyframes (K, 4, 4) and query positions."""
    figure = Figure(figsize=(11, 4.4), layout="constrained")
    left, right = figure.subplots(
        1, 2, width_ratios=[frame.camera.width / frame.camera.height, 1.2]
    )
    _draw_points(left, frame)
    _draw_from_above(right, records, keyframe_poses, room, raycaster)
    return figure


def _draw_points(axes: Axes, frame: ContactFrame) -> None:
    axes.set_axis_off()
    axes.imshow(frame.image)
    pose = frame.record.T_map_camera
    if pose is None:
        axes.set_title("not localized")
        return
    pixels, depth = _project(frame.points, pose, frame.camera)
    inside = ((pixels >= 0) & (pixels < [frame.camera.width, frame.camera.height])).all(axis=1)
    x, y = pixels[inside].T
    axes.scatter(x, y, 14, depth[inside], cmap="turbo_r", edgecolors="black", linewidths=0.4)
    axes.set_xlim(-0.5, frame.camera.width - 0.5)
    axes.set_ylim(frame.camera.height - 0.5, -0.5)
    title = "map points where the published pose puts them"
    if frame.record.error is not None:
        centimetres = 100 * frame.record.error.translation
        title += f" (off by {centimetres:.1f} cm, {math.degrees(frame.record.error.rotation):.2f}°)"
    axes.set_title(title, fontsize=10)


def _draw_from_above(
    axes: Axes,
    records: Sequence[FrameRecord],
    keyframe_poses: FloatArray,
    room: Room,
    raycaster: Raycaster,
) -> None:
    camera, pose = _camera_above(room)
    axes.set_axis_off()
    # The ceiling and the lamps face down, so that nobody sees them from above.
    axes.imshow(raycaster.render(camera, pose).image)
    begins, _ = _project(keyframe_poses[:, :3, 3], pose, camera)
    ends, _ = _project(
        keyframe_poses[:, :3, 3] + ARROW_LENGTH * keyframe_poses[:, :3, 2], pose, camera
    )
    axes.quiver(
        *begins.T, *(ends - begins).T, angles="xy", scale_units="xy", scale=1, color=KEYFRAME,
        width=0.005, edgecolor="black", linewidth=0.4, label="keyframes of the map",
    )  # fmt: skip
    truth = [r.ground_truth for r in records if r.ground_truth is not None]
    found = [r.T_map_camera for r in records if r.T_map_camera is not None]
    lost = [r.ground_truth for r in records if not r.is_localized and r.ground_truth is not None]
    styles: tuple[tuple[list[FloatArray], dict[str, Any]], ...] = (
        (truth, {"color": GROUND_TRUTH, "lw": 2.5, "label": "ground truth"}),
        (found, {"color": ESTIMATE, "ls": "", "marker": ".", "ms": 5, "label": "localized"}),
        (lost, {"color": REJECTED, "ls": "", "marker": "x", "ms": 6, "label": "rejected"}),
    )
    for poses, style in styles:
        if poses:
            pixels, _ = _project(np.array(poses)[:, :3, 3], pose, camera)
            axes.plot(*pixels.T, **style)
    axes.set_xlim(-0.5, camera.width - 0.5)
    axes.set_ylim(camera.height - 0.5, -0.5)
    localized = f"{len(found)} of {len(records)} images localized"
    axes.set_title(f"the room from above: {localized}", fontsize=10)
    axes.legend(loc="lower right", fontsize=8, facecolor="#808080", labelcolor="white")


def _camera_above(room: Room) -> tuple[Camera, FloatArray]:
    """A camera that sees the whole floor, with x of the map to the right, and T_map_camera."""
    width, height = (round(PIXELS_PER_METRE * extent) + 2 for extent in room.size[:2])
    focal_length = PIXELS_PER_METRE * HEIGHT_ABOVE
    camera = Camera(width, height, focal_length, focal_length, (width - 1) / 2, (height - 1) / 2)
    looking_down = np.diag([1.0, -1.0, -1.0])
    return camera, rigid(looking_down, np.array([0.0, 0.0, HEIGHT_ABOVE]))


def _project(
    points: FloatArray, T_map_camera: FloatArray, camera: Camera
) -> tuple[FloatArray, FloatArray]:
    """Pixels (N, 2), nan behind the camera, and depth (N,) in metres of map points (N, 3)."""
    seen = transformed(inverse(T_map_camera), points)
    return camera.project(seen), seen[:, 2]
