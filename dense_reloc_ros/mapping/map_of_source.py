"""Makes the map of a source of frames: described for a method, fitted on its own images."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from dense_reloc_ros.errors import ConfigurationError
from dense_reloc_ros.features.extractors import create_extractor
from dense_reloc_ros.geometry.camera import Camera
from dense_reloc_ros.images.image_file import MILLIMETRES
from dense_reloc_ros.localization.method import Method
from dense_reloc_ros.mapping.assembly import with_information
from dense_reloc_ros.mapping.builder import build_from_depth, build_from_points
from dense_reloc_ros.mapping.calibration.calibrate import calibrate
from dense_reloc_ros.mapping.consistency.judgement import judge_frames
from dense_reloc_ros.mapping.dense_describer import DenseDescriber
from dense_reloc_ros.mapping.describing import KeyframeDescriber
from dense_reloc_ros.mapping.local_origin import from_origin, local_origin
from dense_reloc_ros.mapping.poor_points import PoorPoints, with_poor_points
from dense_reloc_ros.mapping.readable_frames import readable_frames
from dense_reloc_ros.mapping.sources.known_points import KnownPoints
from dense_reloc_ros.mapping.sources.pose_convention import AS_USUAL, PoseConvention
from dense_reloc_ros.mapping.sources.seven_scenes import default_depth_scale, read_seven_scenes
from dense_reloc_ros.mapping.sources.source_frame import SourceFrame
from dense_reloc_ros.mapping.sparse_describer import RootSiftDescriber
from dense_reloc_ros.scene.progress import Progress, silent
from dense_reloc_ros.scene.scene_map import SceneMap
from dense_reloc_ros.whole_file import legible

logger = logging.getLogger(__name__)

UNREADABLE = "image or depth that cannot be read"
UNUSABLE = "nothing that can become a point of the map"
"""Reasons why keyframes are left out."""


@dataclass(frozen=True)
class MapSource:
    """Frames with poses, and how their points become known."""

    frames: Sequence[SourceFrame]
    description: str
    """For people."""
    points: KnownPoints | None = None
    """None: they come from depth or, where `has_depth` is not set, are triangulated."""
    has_depth: bool = False
    convention: PoseConvention = AS_USUAL
    """How the poses of the frames were understood."""
    depth_scale: float = MILLIMETRES
    """Values per metre of the depth, as it was understood."""
    left_out: Mapping[str, int] = field(default_factory=dict)
    """Reasons, and how many frames each of them left out."""

    def understood_as(self, convention: PoseConvention) -> MapSource:
        """The source with poses that mean something else than those of cameras in the map.

        The points of a COLMAP model stay where they are.
        """

        def changed(frame: SourceFrame) -> SourceFrame:
            if frame.T_map_camera is None:
                return frame
            return replace(frame, T_map_camera=convention.T_map_camera(frame.T_map_camera))

        frames = [changed(frame) for frame in self.frames]
        return replace(self, frames=frames, convention=convention)


def seven_scenes_source(
    folder: Path, camera: Camera, depth_scale: float | None = None
) -> MapSource:
    """The frames of a folder in the layout of 7-Scenes that have a pose.

    `depth_scale` is the values per metre of the depth; None: 1000 of whole numbers, 1 of others.

    Raises:
        InputError: no frames there, or most of them without a pose that can be used.
    """
    everything = read_seven_scenes(folder, camera, depth_scale)
    frames = with_poses(everything)
    # A single missing depth image is an accident, a folder without any is not.
    has_depth = any(frame.read_depth for frame in frames)
    description = f"folder {folder} in the layout of 7-Scenes"
    scale = depth_scale or default_depth_scale(frames)
    without = len(everything) - len(frames)
    left_out = {"no pose that can be used": without} if without else {}
    return MapSource(frames, description, has_depth=has_depth, depth_scale=scale, left_out=left_out)


def with_poses(frames: Sequence[SourceFrame]) -> Sequence[SourceFrame]:
    """The frames that have a pose; all of them, to be refused, where most have none."""
    posed = [frame for frame in frames if frame.T_map_camera is not None]
    if len(posed) == len(frames) or 2 * len(posed) <= len(frames):
        return frames
    first = next(frame.name for frame in frames if frame.T_map_camera is None)
    missing = len(frames) - len(posed)
    logger.warning(
        "%d of %d frames are left out, they have no pose: %s is the first",
        missing,
        len(frames),
        first,
    )
    return posed


def describer_for(
    method: Method, network: str | None, device: torch.device, weights: Path | None = None
) -> KeyframeDescriber:
    """What describes keyframes for a method; `network` None is the method's own.

    `weights` is a file for this network; None are those that it brings along.

    Raises:
        ConfigurationError: a network that is unknown or not one for this method, or its weights
            are missing or wrong.
    """
    if method.kind == "sparse_to_sparse":
        if network not in (None, method.network):
            raise ConfigurationError(f"method '{method.name}' works with '{method.network}' only")
        if weights is not None:
            raise ConfigurationError(f"method '{method.name}' takes no weights from a file")
        return RootSiftDescriber()
    return DenseDescriber(create_extractor(network or method.network, device, weights))


def make_map(
    source: MapSource,
    frames: Sequence[SourceFrame],
    describer: KeyframeDescriber,
    frame_id: str = "map",
    progress: Progress = silent,
    accept_inconsistent: bool = False,
    poor: PoorPoints | None = None,
) -> SceneMap:
    """The map of those `frames` of a source that are its keyframes, calibrated where it can be.

    `poor` takes points away and moves them before the map is calibrated. The rest is that of
    `uncalibrated_map`.

    Raises:
        InputError: as `uncalibrated_map`.
    """
    scene_map = uncalibrated_map(source, frames, describer, frame_id, progress, accept_inconsistent)
    if poor is not None:
        scene_map = with_poor_points(scene_map, poor)
    return calibrated_map(scene_map, frames, describer, progress)


def uncalibrated_map(
    source: MapSource,
    frames: Sequence[SourceFrame],
    describer: KeyframeDescriber,
    frame_id: str = "map",
    progress: Progress = silent,
    accept_inconsistent: bool = False,
) -> SceneMap:
    """The map of those `frames` of a source that are its keyframes.

    Frames whose image or depth cannot be read are left out. Before anything is described, pairs of
    frames tell whether poses, images and depth belong together (see `consistency`). What they say
    goes into the map.

    Raises:
        InputError: a frame without pose, half of the frames or more that cannot be read, no usable
            point in any of them, or, unless it is accepted, frames that contradict each other.
    """
    keyframes = readable_frames(frames, source.description, source.has_depth, progress)
    left_out = dict(source.left_out)
    if unread := len(frames) - len(keyframes):
        left_out[UNREADABLE] = unread
    frames = keyframes
    verdict = judge_frames(
        frames,
        source.has_depth,
        source.convention,
        source.depth_scale,
        progress,
        accept_inconsistent,
    )
    log = logger.info if verdict.state == "consistent" else logger.warning
    log("the recording is %s: %s", verdict.state, verdict.reason)
    description = legible(f"{source.description}, {len(frames)} of {len(source.frames)} frames")
    origin = local_origin(frames)
    frames = from_origin(frames, origin)
    if source.has_depth:
        scene_map = build_from_depth(frames, describer, frame_id, description, progress)
    else:
        known = source.points
        points = known.shifted(-origin) if known else _triangulated(frames, progress)
        scene_map = build_from_points(frames, points, describer, frame_id, description, progress)
    x, y, z = origin.tolist()
    scene_map = with_information(scene_map, origin=(x, y, z))
    if useless := len(frames) - scene_map.keyframe_count:
        left_out[UNUSABLE] = useless
    return with_information(scene_map, verdict=verdict, left_out=left_out)


def calibrated_map(
    scene_map: SceneMap,
    frames: Sequence[SourceFrame],
    describer: KeyframeDescriber,
    progress: Progress = silent,
) -> SceneMap:
    """A map made of these frames, fitted on its own images where its features are dense."""
    if not isinstance(describer, DenseDescriber):
        return scene_map
    calibration = calibrate(scene_map, image_of(scene_map, frames), describer.extractor, progress)
    return with_information(scene_map, calibration=calibration)


def image_of(
    scene_map: SceneMap, frames: Sequence[SourceFrame]
) -> Callable[[int], NDArray[np.uint8]]:
    """Gives the undistorted image (H, W, 3) RGB of a keyframe of a map made of these frames."""
    by_name = {frame.name: frame for frame in frames}
    keyframes = [by_name[name] for name in scene_map.information.keyframe_names]
    return lambda keyframe: keyframes[keyframe].load_undistorted()


def _triangulated(frames: Sequence[SourceFrame], progress: Progress) -> KnownPoints:
    # Imported here: few maps need it, and it brings all of COLMAP.
    from dense_reloc_ros.mapping.sources.triangulation import triangulate

    return triangulate(frames, progress)
