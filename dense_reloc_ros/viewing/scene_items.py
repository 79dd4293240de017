"""What is put into the scene of the browser: points, lines and frusta, each with its name.

Everything is counted from the map's origin, since browsers compute with single precision.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from dense_reloc_ros.evaluation.report.frame_results import FrameOutcome, FramePose
from dense_reloc_ros.geometry.arrays import FloatArray
from dense_reloc_ros.geometry.camera import Camera
from dense_reloc_ros.geometry.se3 import shifted
from dense_reloc_ros.scene.colours import point_colours
from dense_reloc_ros.scene.scene_map import SceneMap

Colour = tuple[int, int, int]

# Okabe and Ito's palette, as in the plots of the report.
KEYFRAME: Colour = (144, 144, 144)
TRUTH: Colour = (64, 64, 64)
PUBLISHED: Colour = (0, 114, 178)
WITHHELD: Colour = (230, 159, 0)
WRONG: Colour = (178, 24, 43)
MOST_PICTURES = 300
"""A map with more keyframes shows no images in their frusta: they all go to the browser at once."""
PICTURE_WIDTH = 160
"""Pixels."""


@dataclass(frozen=True)
class Points:
    """Points with a colour each."""

    name: str
    positions: FloatArray
    """(N, 3) metres."""
    colours: NDArray[np.uint8]
    """(N, 3) RGB."""


@dataclass(frozen=True)
class Lines:
    """Straight lines of one colour."""

    name: str
    segments: FloatArray
    """(N, 2, 3) metres."""
    colour: Colour


@dataclass(frozen=True)
class Frustum:
    """A camera, with what it saw."""

    name: str
    T_map_camera: FloatArray
    camera: Camera
    colour: Colour
    image: NDArray[np.uint8] | None = None
    """(H, W, 3) RGB."""


Item = Points | Lines | Frustum


def map_items(scene_map: SceneMap) -> list[Item]:
    """The points of a map and its keyframes; coloured, and with images, where it stores these.

    Raises:
        MapError: an image of the map that cannot be read.
    """
    items: list[Item] = [Points("/map/points", scene_map.points.numpy(), point_colours(scene_map))]
    with_images = scene_map.keyframe_count <= MOST_PICTURES
    for keyframe, pose in enumerate(scene_map.keyframe_poses.numpy()):
        image = scene_map.images(keyframe) if scene_map.images and with_images else None
        items.append(
            Frustum(
                keyframe_item(keyframe),
                pose,
                scene_map.cameras[keyframe],
                KEYFRAME,
                None if image is None else small(image),
            )
        )
    return items


def keyframe_item(keyframe: int) -> str:
    """The name of a keyframe's frustum."""
    return f"/map/keyframes/{keyframe:06d}"


def run_items(outcomes: Sequence[FrameOutcome], origin: FloatArray) -> list[Item]:
    """The poses of all frames of a report: true, published, wrong and withheld ones.

    Lines lead along the true ones, and from each found pose to its true one. `origin` (3,) is that
    of the map.
    """
    items: list[Item] = []
    truths = [pose_of(outcome.ground_truth, origin) for outcome in outcomes]
    known = np.array([pose[:3, 3] for pose in truths if pose is not None]).reshape(-1, 3)
    if len(known):
        items.append(_dots("/run/truth", known, TRUTH))
        items.append(Lines("/run/path", np.stack([known[:-1], known[1:]], axis=1), TRUTH))
    found = [found_pose(outcome, origin) for outcome in outcomes]
    kinds = [kind_of(outcome) for outcome in outcomes]
    for kind, colour in COLOURS.items():
        chosen = [i for i, pose in enumerate(found) if pose is not None and kinds[i] == kind]
        if not chosen:
            continue
        positions = np.array([found[i][:3, 3] for i in chosen])  # type: ignore[index]
        items.append(_dots(f"/run/{kind}", positions, colour))
        pairs = [
            (position, truth[:3, 3])
            for i, position in zip(chosen, positions, strict=True)
            if (truth := truths[i]) is not None
        ]
        if pairs:
            items.append(Lines(f"/run/errors_of_{kind}", np.array(pairs), colour))
    return items


COLOURS = {"published": PUBLISHED, "wrong": WRONG, "withheld": WITHHELD}
"""Of found poses by their kind."""


def frame_items(outcome: FrameOutcome, origin: FloatArray, camera: Camera) -> list[Item]:
    """The true and the found pose of one frame as frusta."""
    items: list[Item] = []
    truth = pose_of(outcome.ground_truth, origin)
    if truth is not None:
        items.append(Frustum("/frame/truth", truth, camera, TRUTH))
    found = found_pose(outcome, origin)
    if found is not None:
        items.append(Frustum("/frame/found", found, camera, COLOURS[kind_of(outcome)]))
    return items


def kind_of(outcome: FrameOutcome) -> str:
    """`published`, `wrong` (published, too) or `withheld`."""
    if outcome.pose is None:
        return "withheld"
    return "wrong" if outcome.is_wrong else "published"


def found_pose(outcome: FrameOutcome, origin: FloatArray) -> FloatArray | None:
    """(4, 4) T_map_camera from the map's origin, published or not."""
    return pose_of(outcome.pose or outcome.rejected_pose, origin)


def pose_of(pose: FramePose | None, origin: FloatArray) -> FloatArray | None:
    """(4, 4) T_map_camera from the map's origin."""
    return None if pose is None else shifted(pose.matrix(), -origin)


def small(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The image at `PICTURE_WIDTH`, so that many of them reach the browser soon."""
    height, width = image.shape[:2]
    if width <= PICTURE_WIDTH:
        return image
    size = (PICTURE_WIDTH, max(1, round(height * PICTURE_WIDTH / width)))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)


def _dots(name: str, positions: FloatArray, colour: Colour) -> Points:
    return Points(name, positions, np.tile(np.array(colour, dtype=np.uint8), (len(positions), 1)))
