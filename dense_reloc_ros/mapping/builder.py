"""Builds a map: describe every keyframe, give its keypoints points in space, put all together."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from dense_reloc_ros.errors import InputError
from dense_reloc_ros.geometry.arrays import RgbImage
from dense_reloc_ros.geometry.se3 import transformed
from dense_reloc_ros.mapping.assembly import DescribedKeyframe, MapParts, assemble_map
from dense_reloc_ros.mapping.depth_correction import fit_depth_correction
from dense_reloc_ros.mapping.describing import KeyframeDescriber, KeyframeDescription, Vocabulary
from dense_reloc_ros.mapping.keypoints import lift, reliable_depth
from dense_reloc_ros.mapping.sources.known_points import KnownPoints
from dense_reloc_ros.mapping.sources.source_frame import SourceFrame
from dense_reloc_ros.mapping.tracks import LiftedKeyframe, merge_points
from dense_reloc_ros.scene.colours import colours_at
from dense_reloc_ros.scene.progress import Progress, silent
from dense_reloc_ros.scene.scene_map import SceneMap

LOGGER = logging.getLogger(__name__)
VOCABULARY_KEYFRAMES = 64
"""Keyframes, evenly spaced, that the retrieval vocabulary is learned from at most."""


def build_from_depth(
    frames: Sequence[SourceFrame],
    describer: KeyframeDescriber,
    frame_id: str = "map",
    source: str = "",
    progress: Progress = silent,
) -> SceneMap:
    """The map of RGB-D keyframes: keypoints on reliable depth, corrected, merged where they agree.

    Frames are read one by one, so memory holds one image at a time. The map is not calibrated.

    Raises:
        InputError: a frame without pose, image or depth, or no usable point in any of them.
    """
    vocabulary = _train_vocabulary(frames, describer, progress)
    keyframes: list[DescribedKeyframe] = []
    lifted: list[LiftedKeyframe] = []
    for frame in progress(frames, "describing keyframes"):
        image, depth = frame.load_undistorted(), frame.camera.undistort_depth(frame.known_depth())
        description = describer.describe(image, reliable_depth(depth), vocabulary)
        if not _is_useful(frame, description):
            continue
        camera, T_map_camera = frame.camera.pinhole(), frame.known_pose()
        points = lift(description.pixels, depth, camera)
        points = transformed(T_map_camera, points)
        keyframes.append(_described(frame, image, description))
        lifted.append(LiftedKeyframe(camera, T_map_camera, description.pixels, points))
    _check_any(keyframes)
    correction = fit_depth_correction(lifted)
    for reading, share in zip(correction.readings, correction.shares, strict=True):
        LOGGER.info("at %.2f m the depth camera is off by %+.2f %%", reading, -100 * share)
    placed, tracks = merge_points([correction.applied_to(keyframe) for keyframe in lifted])
    parts = MapParts(keyframes, placed, tracks, vocabulary, describer.signature)
    return assemble_map(parts, frame_id, source)


def build_from_points(
    frames: Sequence[SourceFrame],
    known: KnownPoints,
    describer: KeyframeDescriber,
    frame_id: str = "map",
    source: str = "",
    progress: Progress = silent,
) -> SceneMap:
    """The map of keyframes whose points and tracks are known; they are used as they are.

    Raises:
        InputError: a frame without pose or image, or no point that any of them sees.
    """
    vocabulary = _train_vocabulary(frames, describer, progress)
    keyframes: list[DescribedKeyframe] = []
    tracks: list[NDArray[np.int64]] = []
    for frame in progress(frames, "describing keyframes"):
        image, pixels = frame.load_undistorted(), known.pixels[frame.name]
        described, description = describer.describe_at(image, pixels, vocabulary)
        if not _is_useful(frame, description):
            continue
        keyframes.append(_described(frame, image, description))
        tracks.append(known.indices[frame.name][described])
    _check_any(keyframes)
    seen, flat = np.unique(np.concatenate(tracks), return_inverse=True)
    tracks = np.split(flat, np.cumsum([len(track) for track in tracks])[:-1])
    parts = MapParts(keyframes, known.positions[seen], tracks, vocabulary, describer.signature)
    return assemble_map(parts, frame_id, source)


def _train_vocabulary(
    frames: Sequence[SourceFrame], describer: KeyframeDescriber, progress: Progress
) -> Vocabulary:
    count = min(len(frames), VOCABULARY_KEYFRAMES)
    spaced = [frames[i] for i in np.linspace(0, len(frames) - 1, count).round().astype(int)]
    shown = progress(spaced, "learning the vocabulary")
    return describer.train_vocabulary(frame.load_undistorted() for frame in shown)


def _described(
    frame: SourceFrame, image: RgbImage, description: KeyframeDescription
) -> DescribedKeyframe:
    return DescribedKeyframe(
        frame.name,
        frame.camera.pinhole(),
        frame.known_pose(),
        description.stored(),
        colours_at(image, description.pixels),
    )


def _is_useful(frame: SourceFrame, description: KeyframeDescription) -> bool:
    if len(description.pixels):
        return True
    LOGGER.warning("%s is left out: nothing in it can become a point of the map", frame.name)
    return False


def _check_any(keyframes: Sequence[DescribedKeyframe]) -> None:
    if not keyframes:
        raise InputError("no frame has anything that can become a point of the map")
