"""Where in the map each part of a keyframe's image lies: its coordinate map (DSM, 3.2).

A coordinate map is a grid of equal cells over the undistorted image; each cell has the point that
is seen at its centre, nan where the depth there is unknown.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from dense_reloc_ros.errors import InputError
from dense_reloc_ros.geometry.arrays import DepthImage, FloatArray
from dense_reloc_ros.geometry.camera import Camera
from dense_reloc_ros.mapping.depth_correction import NODES, DepthCorrection
from dense_reloc_ros.mapping.keypoints import DEPTH_RANGE, lift
from dense_reloc_ros.mapping.sources.source_frame import SourceFrame
from dense_reloc_ros.scene.coordinate_grid import cell_pixels, cell_points
from dense_reloc_ros.scene.progress import Progress, silent
from dense_reloc_ros.scene.scene_map import SceneMap

COORDINATE_SIZE = (48, 64)
"""Rows and columns of the stored maps: stride 4 of the image that DSM's compact variant sees."""
READINGS_PER_NODE = 50
"""Depths that a node of the correction is made of at least."""


def with_coordinates(
    scene_map: SceneMap,
    frames: Sequence[SourceFrame],
    size: tuple[int, int] = COORDINATE_SIZE,
    progress: Progress = silent,
) -> SceneMap:
    """The map with the coordinate maps of its keyframes, `size` rows and columns each.

    Their depth is corrected by what the map's points say about it: these were moved to where all
    keyframes see them, and depth cameras err by a percent or two.

    Args:
        scene_map: made of the `frames`, or of some of them.
        frames: with depth.
        size: rows and columns.
        progress: shows how far it is.

    Raises:
        InputError: a keyframe without depth.
    """
    by_name = {frame.name: frame for frame in frames}
    grids, readings, depths = [], [], []
    names = scene_map.information.keyframe_names
    for keyframe in progress(range(len(names)), "reading coordinates"):
        camera = scene_map.cameras[keyframe]
        depth = _known_depth(by_name[names[keyframe]])
        grids.append(cell_depths(depth, camera, size))
        read, true = _readings(scene_map, keyframe, depth)
        readings.append(read)
        depths.append(true)
    correction = correction_by_points(np.concatenate(readings), np.concatenate(depths))
    maps = [
        cell_points(grid * (1.0 + correction.at(grid)), camera, pose)
        for grid, camera, pose in zip(
            grids, scene_map.cameras, scene_map.keyframe_poses.numpy(), strict=True
        )
    ]
    return replace(scene_map, coordinates=torch.from_numpy(np.stack(maps).astype(np.float32)))


def coordinate_map(
    depth: DepthImage, camera: Camera, T_map_camera: FloatArray, size: tuple[int, int]
) -> FloatArray:
    """The coordinate map (h, w, 3) of an image with depth (H, W) of a pinhole camera."""
    return cell_points(cell_depths(depth, camera, size), camera, T_map_camera)


def cell_depths(depth: DepthImage, camera: Camera, size: tuple[int, int]) -> FloatArray:
    """Depth (h, w) in metres at the centres of the cells, the median within a pixel; or nan."""
    pixels = cell_pixels(camera, size).astype(np.float32)
    known = ((depth >= DEPTH_RANGE[0]) & (depth <= DEPTH_RANGE[1])).astype(np.uint8)
    near_known = cv2.dilate(known, np.ones((3, 3), np.uint8)).astype(bool)
    columns, rows = np.moveaxis(np.rint(pixels).astype(np.int64), -1, 0)
    usable = near_known[rows, columns]
    depths = np.full(size, np.nan)
    depths[usable] = lift(pixels[usable], depth, camera)[:, 2]
    return depths


def correction_by_points(readings: FloatArray, depths: FloatArray) -> DepthCorrection:
    """How far depths (N,) are beyond what a depth camera reads there (N,), by distance.

    The median of each of some groups of equal size; too few readings make no correction.
    """
    known = np.isfinite(readings) & (depths > 0)
    readings, depths = readings[known], depths[known]
    if len(readings) < READINGS_PER_NODE:
        return DepthCorrection(np.zeros(1), np.zeros(1))
    groups = np.array_split(
        np.argsort(readings, kind="stable"), min(NODES, len(readings) // READINGS_PER_NODE)
    )
    shares = depths / readings - 1.0
    return DepthCorrection(
        np.array([np.median(readings[group]) for group in groups]),
        np.array([np.median(shares[group]) for group in groups]),
    )


def _known_depth(frame: SourceFrame) -> NDArray[np.float32]:
    depth = frame.load_depth()
    if depth is None:
        raise InputError(f"{frame.name}: its depth is missing, so it has no coordinate map")
    return frame.camera.undistort_depth(depth)


def _readings(
    scene_map: SceneMap, keyframe: int, depth: DepthImage
) -> tuple[FloatArray, FloatArray]:
    """What the depth image reads where a keyframe sees points, nan if nothing; their depths."""
    seen = scene_map.observations(keyframe)
    pixels = scene_map.observation_pixels[seen].numpy()
    points = scene_map.points[scene_map.observation_points[seen]].double().numpy()
    pose = scene_map.keyframe_poses[keyframe].numpy()
    columns, rows = np.rint(pixels).astype(np.int64).T
    inside = (columns >= 0) & (columns < depth.shape[1]) & (rows >= 0) & (rows < depth.shape[0])
    read = np.full(len(pixels), np.nan)
    read[inside] = depth[rows[inside], columns[inside]]
    read[(read < DEPTH_RANGE[0]) | (read > DEPTH_RANGE[1])] = np.nan
    return read, (points - pose[:3, 3]) @ pose[:3, 2]
