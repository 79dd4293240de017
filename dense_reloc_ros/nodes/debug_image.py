"""The picture that shows why a pose is believed or doubted: what the image agrees with."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from dense_reloc_ros.geometry.arrays import FloatArray
from dense_reloc_ros.geometry.camera import Camera
from dense_reloc_ros.geometry.se3 import inverse
from dense_reloc_ros.localization.result import Localization, PointLosses, Status
from dense_reloc_ros.nodes.keyframe_picture import most_alike, picture_of
from dense_reloc_ros.scene.scene_map import SceneMap

LOCALIZED = (0, 220, 90)
DOUBTED = (255, 190, 0)
"""Of a pose that was found but is not published."""
NOT_LOCALIZED = (255, 90, 40)
MARGIN = 8
RADIUS = 3
"""Pixels of the circles around points."""
Colour = tuple[int, int, int]
Canvas = NDArray[np.uint8]


def draw_localization(
    image: Canvas, camera: Camera, localization: Localization, scene_map: SceneMap | None
) -> Canvas:
    """The undistorted image (H, W, 3) RGB, the keyframe that it was found by beside it, and the
    decision in words, in a colour that tells doubted poses from published ones.

    The map's points are circled where the pose puts them in the image, and where the keyframe saw
    them, from yellow (the image agrees, the loss is small) to violet (as an outlier).
    """
    query = np.ascontiguousarray(camera.undistort(image)).copy()
    colour = _colour(localization)
    beside = np.zeros_like(query)
    estimate = localization.estimate
    if estimate is not None and scene_map is not None:
        losses = estimate.losses or PointLosses.of_support(estimate.supporting_points)
        points = scene_map.points[losses.points].cpu().double().numpy() + scene_map.origin
        pixels, is_seen = _project(points, estimate.T_map_camera, camera)
        _circle(query, pixels[is_seen], losses.losses[is_seen])
        keyframe = most_alike(scene_map, estimate)
        if keyframe is not None:
            beside = _draw_keyframe(scene_map, keyframe, losses, len(query))
    canvas = np.concatenate([query, beside], axis=1)
    _write(canvas, caption(localization), colour)
    return canvas


def caption(localization: Localization) -> str:
    """One line on what was decided about the frame, and why."""
    decisions = {Status.LOCALIZED: "published", Status.REJECTED: "not published"}
    name = localization.status.name.lower().replace("_", " ")
    words, estimate = [decisions.get(localization.status, name)], localization.estimate
    if estimate is not None:
        known = [] if estimate.confidence is None else [f"confidence {estimate.confidence:.3f}"]
        known += [f"score {estimate.score:.2f}", f"{len(estimate.supporting_points)} points"]
        words.append(", ".join(known))
    if localization.reason:
        words.append(localization.reason)
    return ": ".join(words)


def loss_colours(losses: NDArray[np.float32]) -> Canvas:
    """The colours (N, 3) RGB of losses (N,) from 0 to 1."""
    shades = np.rint(255 * (1 - losses.clip(0, 1))).astype(np.uint8)
    if not len(shades):
        return np.empty((0, 3), np.uint8)
    return np.asarray(cv2.applyColorMap(shades[:, None], cv2.COLORMAP_VIRIDIS)[:, 0, ::-1])


def _project(
    points: FloatArray, T_map_camera: FloatArray, camera: Camera
) -> tuple[FloatArray, NDArray[np.bool_]]:
    """Where a pose puts points (N, 3), (N, 2), and which of them it puts into the image, (N,)."""
    T_camera_map = inverse(T_map_camera)
    local = points @ T_camera_map[:3, :3].T + T_camera_map[:3, 3]
    is_seen = local[:, 2] > 0
    depth = np.where(is_seen, local[:, 2], 1.0)
    pixels = (local @ camera.matrix.T)[:, :2] / depth[:, None]
    is_seen &= ((pixels >= 0) & (pixels < [camera.width, camera.height])).all(axis=1)
    return pixels, is_seen


def _draw_keyframe(scene_map: SceneMap, keyframe: int, losses: PointLosses, height: int) -> Canvas:
    """A keyframe `height` pixels high, with its name and those of the points that it saw."""
    picture = picture_of(scene_map, keyframe)
    scale = height / len(picture.image)
    size = (max(1, round(scale * picture.image.shape[1])), height)
    resized = cv2.resize(picture.image, size, interpolation=cv2.INTER_AREA)
    canvas = np.ascontiguousarray(resized, dtype=np.uint8)
    known = dict(zip(losses.points.tolist(), losses.losses.tolist(), strict=True))
    is_known = np.isin(picture.points, losses.points)
    found = np.array([known[point] for point in picture.points[is_known].tolist()], np.float32)
    _circle(canvas, picture.pixels[is_known].astype(np.float64) * scale, found)
    cv2.putText(
        canvas,
        picture.name,
        (MARGIN, 3 * MARGIN),
        cv2.FONT_HERSHEY_SIMPLEX,
        0.5,
        (255, 255, 255),
        1,
        cv2.LINE_AA,
    )
    return canvas


def _circle(canvas: Canvas, pixels: FloatArray, losses: NDArray[np.float32]) -> None:
    """Circles around pixels (N, 2), those with the smallest losses above the others."""
    order = np.argsort(-losses, kind="stable")
    colours = loss_colours(losses[order]).tolist()
    for (x, y), colour in zip(np.rint(pixels[order]).astype(int).tolist(), colours, strict=True):
        cv2.circle(canvas, (x, y), RADIUS, colour, 1, cv2.LINE_AA)


def _colour(localization: Localization) -> Colour:
    if localization.is_localized:
        return LOCALIZED
    return NOT_LOCALIZED if localization.estimate is None else DOUBTED


def _write(canvas: Canvas, text: str, colour: Colour) -> None:
    """Writes a line at the bottom on a dark bar, as small as it must be to fit."""
    height, width = canvas.shape[:2]
    scale = 0.5
    (length, line), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, scale, 1)
    scale = max(0.3, min(scale, scale * (width - 2 * MARGIN) / max(length, 1)))
    canvas[height - line - 2 * MARGIN :] //= 3
    cv2.putText(
        canvas,
        text,
        (MARGIN, height - MARGIN),
        cv2.FONT_HERSHEY_SIMPLEX,
        scale,
        colour,
        1,
        cv2.LINE_AA,
    )
