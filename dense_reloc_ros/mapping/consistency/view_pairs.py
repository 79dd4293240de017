"""Pairs of frames that show the same: what they see in common, by their images alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import cv2
import numpy as np
import poselib
from numpy.typing import NDArray

from dense_reloc_ros.features.root_sift import SparseFeatures, detect_root_sift
from dense_reloc_ros.geometry.arrays import FloatArray
from dense_reloc_ros.geometry.camera import Camera
from dense_reloc_ros.mapping.sources.source_frame import SourceFrame
from dense_reloc_ros.matching.mutual import mutual_matches
from dense_reloc_ros.scene.progress import Progress

ANCHORS = 16
"""Frames, evenly spaced, whose neighbours are looked at."""
GAPS = (1, 3, 9, 27)
"""How many frames further a neighbour lies; the farthest that still shows the same says most."""
UNORDERED = 16
"""Frames, evenly spaced, all of whose pairs are tried where neighbours in order show nothing in
common, as in sets of photographs."""
LEAST_PAIRS = 6
LONG_SIDE = 640
"""Pixels that images are brought to, where they are larger."""
RATIO = 0.8
LEAST_MATCHES = 30
"""That agree with one motion of the camera."""
LEAST_SHARE = 0.3
"""Of all matches: fewer are chance."""
LARGEST_ERROR = 1.5
"""Pixels from the epipolar line."""
LEAST_FLOW = np.deg2rad(1.0)
"""Between the directions to the same points: images that are nearly the same say nothing."""


@dataclass(frozen=True)
class ViewPair:
    """N points that two frames both see, and how the camera moved as the images say."""

    first: int
    second: int
    """Indices of the frames."""
    rays: tuple[FloatArray, FloatArray]
    """Of the points in each frame's optical frame, (N, 3) with z = 1."""
    depths: tuple[FloatArray, FloatArray]
    """(N,) along the optical axis, metres, nan where unknown."""
    R_second_first: FloatArray
    """(3, 3), by the epipolar geometry of the images."""

    @property
    def flow(self) -> float:
        """Median angle in radians by which directions to the points changed."""
        return float(np.median(angles(self.rays[0], self.rays[1])))


def angles(a: FloatArray, b: FloatArray) -> FloatArray:
    """Angles in radians between vectors (..., 3)."""
    sine = np.linalg.norm(np.cross(a, b), axis=-1)
    return np.asarray(np.arctan2(sine, (a * b).sum(-1)))


def view_pairs(frames: Sequence[SourceFrame], progress: Progress) -> list[ViewPair]:
    """Pairs of frames far apart that still show the same, evenly spaced over the frames.

    Raises:
        InputError: an image or depth that cannot be read.
    """
    views = _Views(frames)
    count = len(frames)
    anchors = np.linspace(0, count - 1, min(count, ANCHORS)).round().astype(int)
    found: dict[tuple[int, int], ViewPair] = {}
    for anchor in progress(anchors.tolist(), "comparing neighbours"):
        if pair := views.farthest(anchor):
            found[pair.first, pair.second] = pair
    if len(found) < LEAST_PAIRS:
        chosen = np.linspace(0, count - 1, min(count, UNORDERED)).round().astype(int).tolist()
        for one in progress(list(combinations(chosen, 2)), "comparing images"):
            if one not in found and (pair := views.pair(*one)):
                found[one] = pair
    return [found[key] for key in sorted(found)]


@dataclass(frozen=True)
class _View:
    features: SparseFeatures
    camera: Camera
    depths: FloatArray
    """(N,) of the features."""


class _Views:
    """The features of frames, found when they are first asked for."""

    def __init__(self, frames: Sequence[SourceFrame]) -> None:
        self._frames = frames
        self._views: dict[int, _View] = {}

    def farthest(self, anchor: int) -> ViewPair | None:
        """The pair of a frame with the farthest one, in order, that still shows the same."""
        best = None
        # The last frames have their neighbours before them.
        step = 1 if anchor + GAPS[-2] < len(self._frames) else -1
        for gap in GAPS:
            other = anchor + step * gap
            if not 0 <= other < len(self._frames):
                break
            pair = self.pair(min(anchor, other), max(anchor, other))
            if pair is None and best is not None:
                break
            best = pair or best
        return best

    def pair(self, first: int, second: int) -> ViewPair | None:
        """What two frames see in common, None where that is too little or nothing moved."""
        a, b = self._view(first), self._view(second)
        matches = mutual_matches(a.features.descriptors, b.features.descriptors, RATIO).numpy()
        if len(matches) < LEAST_MATCHES:
            return None
        pixels = a.features.pixels[matches[:, 0]], b.features.pixels[matches[:, 1]]
        motion = _motion(pixels, (a.camera, b.camera))
        if motion is None:
            return None
        rotation, inliers = motion
        pair = ViewPair(
            first,
            second,
            (_rays(pixels[0][inliers], a.camera), _rays(pixels[1][inliers], b.camera)),
            (a.depths[matches[inliers, 0]], b.depths[matches[inliers, 1]]),
            rotation,
        )
        return pair if pair.flow >= LEAST_FLOW else None

    def _view(self, index: int) -> _View:
        if index not in self._views:
            self._views[index] = _seen(self._frames[index])
        return self._views[index]


def _seen(frame: SourceFrame) -> _View:
    image, camera = frame.load_undistorted(), frame.camera.pinhole()
    shrink = min(1.0, LONG_SIDE / max(camera.width, camera.height))
    small = camera.scaled(round(camera.width * shrink), round(camera.height * shrink))
    if shrink < 1.0:
        size = (small.width, small.height)
        image = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
    features = detect_root_sift(image)
    depths = np.full(len(features.pixels), np.nan)
    depth = frame.load_depth()
    if depth is not None and len(depths):
        depth = frame.camera.undistort_depth(depth)
        scaled = (features.pixels + 0.5) * [
            camera.width / small.width,
            camera.height / small.height,
        ]
        columns, rows = (scaled - 0.5).round().astype(int).T
        read = depth[rows.clip(0, camera.height - 1), columns.clip(0, camera.width - 1)]
        depths = np.where(read > 0, read, np.nan).astype(np.float64)
    return _View(features, small, depths)


def _motion(
    pixels: tuple[NDArray[np.float32], NDArray[np.float32]], cameras: tuple[Camera, Camera]
) -> tuple[FloatArray, NDArray[np.int64]] | None:
    """R_second_first and which matches agree with one motion of the camera."""
    models = [
        {"model": "PINHOLE", "width": c.width, "height": c.height, "params": c.intrinsics.tolist()}
        for c in cameras
    ]
    options = {"max_epipolar_error": LARGEST_ERROR, "seed": 0, "max_iterations": 1000}
    pose, information = poselib.estimate_relative_pose(
        *(p.astype(np.float64) for p in pixels), *models, options, {}
    )
    inliers = np.flatnonzero(information["inliers"])
    if len(inliers) < max(LEAST_MATCHES, LEAST_SHARE * len(pixels[0])):
        return None
    return np.asarray(pose.R, np.float64), inliers


def _rays(pixels: NDArray[np.float32], camera: Camera) -> FloatArray:
    return camera.lift(pixels.astype(np.float64), np.ones(len(pixels)))
