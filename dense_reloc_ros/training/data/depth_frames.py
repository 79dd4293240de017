"""Pairs from frames with depth and pose: any point with depth, its visibility by depth check."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from dense_reloc_ros.errors import InputError
from dense_reloc_ros.geometry.arrays import FloatArray, Mask, RgbImage
from dense_reloc_ros.geometry.camera import Camera
from dense_reloc_ros.geometry.se3 import inverse, transformed
from dense_reloc_ros.mapping.keypoints import reliable_depth
from dense_reloc_ros.mapping.sources.source_frame import SourceFrame
from dense_reloc_ros.training.data.crops import Crop, random_crop
from dense_reloc_ros.training.data.points import interesting_pixels
from dense_reloc_ros.training.data.view_pairs import (
    RelativePose,
    ViewPair,
    candidate_count,
    is_inside,
)

NEAREST = 0.05
"""Metres in front of the target camera from which on points are used."""
GRID = (12, 16)
"""Rows and columns of points that say how much two frames overlap."""


@dataclass(frozen=True)
class DepthFrame:
    """A frame without lens distortion, in memory."""

    image: RgbImage
    """(H, W, 3)."""
    depth: NDArray[np.float32]
    """(H, W) metres, 0 = unknown."""
    reliable: Mask
    """(H, W): where the depth can be trusted to belong to the pixel."""
    camera: Camera
    """A pinhole."""
    T_map_camera: FloatArray

    @property
    def nbytes(self) -> int:
        """Memory."""
        return self.image.nbytes + self.depth.nbytes + self.reliable.nbytes


def load_depth_frame(frame: SourceFrame) -> DepthFrame:
    """A frame of a recording.

    Raises:
        InputError: files that cannot be read, or a frame without depth or pose.
    """
    depth = frame.load_depth()
    if depth is None:
        raise InputError(f"{frame.name}: has no depth")
    depth = frame.camera.undistort_depth(depth)
    return DepthFrame(
        frame.load_undistorted(),
        depth,
        reliable_depth(depth),
        frame.camera.pinhole(),
        frame.known_pose(),
    )


def thinned(frame: DepthFrame, step: int) -> DepthFrame:
    """Every `step`-th row and column of a frame, and the camera that sees just these."""
    camera, every = frame.camera, np.s_[::step, ::step]
    height, width = frame.depth[every].shape
    fx, fy, cx, cy = (camera.intrinsics / step).tolist()
    return DepthFrame(
        frame.image[every].copy(),
        frame.depth[every].copy(),
        frame.reliable[every].copy(),
        Camera(width, height, fx, fy, cx, cy),
        frame.T_map_camera,
    )


@dataclass(frozen=True)
class DepthViews:
    """How pairs of `size` (height, width) with `points` points are made of frames."""

    size: tuple[int, int]
    points: int
    zoom: float
    tolerance: float
    """Of the depth: by how much it may differ where the target sees the same point."""

    def make(self, source: DepthFrame, target: DepthFrame, place: int, rng: Generator) -> ViewPair:
        """Random parts of two frames, and points with depth in the source image.

        Points are left out where the target's depth is unknown, or too far to be what hides them.
        """
        crops = [random_crop(frame.camera, self.size, self.zoom, rng) for frame in (source, target)]
        image = crops[0].image(source.image)
        pixels = self._pixels(image, source, crops[0], rng)
        columns, rows = pixels.astype(np.int64).T
        in_source = source.camera.lift(pixels, source.depth[rows, columns].astype(np.float64))
        T_target_source = inverse(target.T_map_camera) @ source.T_map_camera
        in_target = transformed(T_target_source, in_source)
        usable = in_target[:, 2] > NEAREST
        pixels, in_source, in_target = pixels[usable], in_source[usable], in_target[usable]
        seen, usable = check_depth(in_target, target, self.tolerance)
        target_pixels = crops[1].pixels(target.camera.project(in_target))
        visible = seen & is_inside(target_pixels, self.size[1], self.size[0])
        return ViewPair(
            image,
            crops[1].image(target.image),
            crops[0].pixels(pixels)[usable],
            target_pixels[usable],
            visible[usable],
            place,
            RelativePose(
                in_source[usable],
                T_target_source,
                crops[0].camera(source.camera).intrinsics,
                crops[1].camera(target.camera).intrinsics,
            ),
        )

    def _pixels(
        self, image: RgbImage, source: DepthFrame, crop: Crop, rng: Generator
    ) -> FloatArray:
        """Whole pixels (N, 2) of the source frame with reliable depth, where its part has some."""
        usable = crop.mask(source.reliable)
        count = candidate_count(self.points)
        pixels = crop.image_pixels(interesting_pixels(image, count, rng, usable))
        limits = (source.camera.width - 1, source.camera.height - 1)
        pixels = np.clip(np.rint(pixels), 0, limits)
        columns, rows = pixels.astype(np.int64).T
        return np.asarray(pixels[source.reliable[rows, columns]])


def check_depth(in_target: FloatArray, target: DepthFrame, tolerance: float) -> tuple[Mask, Mask]:
    """Whether a frame sees points (N, 3) in its camera, and whether that can be told, both (N,).

    Not seen are points outside the frame, and those further away than what it sees there. It
    cannot be told where the depth is unknown, or further away than the point.
    """
    camera, depth = target.camera, target.depth
    pixels = camera.project(in_target)
    inside = is_inside(pixels, camera.width, camera.height)
    columns, rows = np.where(inside[:, None], np.rint(pixels), 0).astype(np.int64).T
    there = depth[rows, columns].astype(np.float64)
    seen = inside & (np.abs(in_target[:, 2] - there) <= tolerance * there)
    hidden = inside & (there > 0) & (in_target[:, 2] > there)
    return seen, seen | hidden | ~inside


def overlapping_pairs(
    frames: Sequence[DepthFrame], least: float, tolerance: float
) -> NDArray[np.intp]:
    """Pairs (P, 2) of indices (source, target): the target sees this share of the source.

    The share is counted among points of a coarse grid with reliable depth.
    """
    pairs = []
    for i, source in enumerate(frames):
        height, width = source.depth.shape
        rows = np.linspace(0, height - 1, GRID[0]).astype(np.int64)
        columns = np.linspace(0, width - 1, GRID[1]).astype(np.int64)
        y, x = (axis.ravel() for axis in np.meshgrid(rows, columns, indexing="ij"))
        y, x = y[source.reliable[y, x]], x[source.reliable[y, x]]
        pixels = np.stack([x, y], axis=1).astype(np.float64)
        points = source.camera.lift(pixels, source.depth[y, x].astype(np.float64))
        in_map = transformed(source.T_map_camera, points)
        for j, target in enumerate(frames):
            in_target = transformed(inverse(target.T_map_camera), in_map)
            in_target = in_target[in_target[:, 2] > NEAREST]
            seen, _ = check_depth(in_target, target, tolerance)
            if i != j and len(points) and np.count_nonzero(seen) >= least * len(points):
                pairs.append((i, j))
    return np.array(pairs, dtype=np.intp).reshape(-1, 2)
