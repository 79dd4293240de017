"""Pairs from COLMAP models: two photographs of one scene and the points that both observe."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from pydantic import Field

from dense_reloc_ros.bounded_memory import BoundedMemory
from dense_reloc_ros.errors import InputError
from dense_reloc_ros.geometry.arrays import FloatArray, Mask, RgbImage
from dense_reloc_ros.geometry.camera import MINIMUM_DEPTH
from dense_reloc_ros.geometry.se3 import inverse, transformed
from dense_reloc_ros.images.photometric import PhotometricConfiguration, RandomCamera
from dense_reloc_ros.mapping.sources.colmap import read_colmap
from dense_reloc_ros.mapping.sources.known_points import KnownPoints
from dense_reloc_ros.mapping.sources.source_frame import SourceFrame
from dense_reloc_ros.parameter_blocks import Block
from dense_reloc_ros.training.data.crops import random_crop
from dense_reloc_ros.training.data.view_pairs import (
    FEWEST_VISIBLE,
    RelativePose,
    ViewPair,
    assemble,
    is_inside,
)
from dense_reloc_ros.training.examples import TrainingPair

ATTEMPTS = 50


class ColmapConfiguration(Block):
    """Scenes with a COLMAP model; a place is a scene."""

    kind: Literal["colmap"] = "colmap"
    scenes: tuple[Path, ...] = Field(
        min_length=1, description="Folders with `images/` and the model in `sparse/`"
    )
    common_points: int = Field(80, ge=FEWEST_VISIBLE, description="Points common to a pair")
    zoom: float = Field(1.5, ge=1, description="Largest enlargement of a part of a photograph")
    memory_mb: int = Field(512, ge=1, description="Memory for decoded photographs")
    photometric: PhotometricConfiguration = PhotometricConfiguration()


class _Scene:
    """A model and the pairs of its images that see enough common points."""

    def __init__(self, folder: Path, common_points: int) -> None:
        self.frames, self.points = read_colmap(folder / "sparse", folder / "images")
        self.pairs = _covisible_pairs(self.frames, self.points, common_points)
        if not len(self.pairs):
            raise InputError(f"{folder}: no two images see {common_points} common points")


class ColmapSource:
    """Pairs of `size` (height, width) with `points` points each.

    A point is visible where the target image observes it, and not visible where it projects
    outside the target image; of all others nothing is known, and they are left out.

    Raises:
        InputError: as `read_colmap`, or a scene without enough common points.
    """

    def __init__(
        self, configuration: ColmapConfiguration, size: tuple[int, int], points: int
    ) -> None:
        self._zoom, self._size, self._points = configuration.zoom, size, points
        self._camera = RandomCamera(configuration.photometric)
        self._scenes = [
            _Scene(folder, configuration.common_points) for folder in configuration.scenes
        ]
        self._folders, self.places = configuration.scenes, len(self._scenes)
        self._images: BoundedMemory[RgbImage] = BoundedMemory(
            configuration.memory_mb, lambda image: image.nbytes
        )

    def pair(self, number: int) -> TrainingPair:
        """The pair of a number, always the same.

        Raises:
            InputError: an image that cannot be read, or parts of images that have too few points
                in common however they are cut.
        """
        rng = np.random.default_rng(number)
        place = int(rng.integers(len(self._scenes)))
        for _ in range(ATTEMPTS):
            views = self._views(place, rng)
            if np.count_nonzero(views.visible) >= FEWEST_VISIBLE:
                return assemble(views, self._points, self._camera, rng)
        raise InputError(f"{self._folders[place]}: parts of its images have no points in common")

    def _views(self, place: int, rng: Generator) -> ViewPair:
        scene = self._scenes[place]
        pair = scene.pairs[int(rng.integers(len(scene.pairs)))]
        source, target = (scene.frames[i] for i in rng.permutation(pair))
        frames = (source, target)
        crops = [random_crop(frame.camera, self._size, self._zoom, rng) for frame in frames]
        cameras = [
            crop.camera(frame.camera.pinhole()) for crop, frame in zip(crops, frames, strict=True)
        ]
        shared = _shared_points(scene.points, source, target)
        source_pixels = crops[0].pixels(shared.source_pixels)
        target_pixels = crops[1].pixels(shared.target_pixels)
        height, width = self._size
        inside = is_inside(target_pixels, width, height)
        usable = is_inside(source_pixels, width, height) & (shared.is_observed | ~inside)
        return ViewPair(
            crops[0].image(self._image(source)),
            crops[1].image(self._image(target)),
            source_pixels[usable],
            target_pixels[usable],
            inside[usable],
            place,
            RelativePose(
                shared.in_source[usable],
                inverse(target.known_pose()) @ source.known_pose(),
                *(camera.intrinsics for camera in cameras),
            ),
        )

    def _image(self, frame: SourceFrame) -> RgbImage:
        return self._images.get(id(frame), lambda: frame.load_undistorted())


@dataclass(frozen=True)
class _SharedPoints:
    """Points (N) that the source image observes, in front of the target camera."""

    in_source: FloatArray
    """(N, 3) in the source camera."""
    source_pixels: FloatArray
    """(N, 2) in the whole source image."""
    target_pixels: FloatArray
    """(N, 2) in the whole target image: where it observes them, else where they project to."""
    is_observed: Mask
    """(N,): whether the target image observes them."""


def _shared_points(points: KnownPoints, source: SourceFrame, target: SourceFrame) -> _SharedPoints:
    seen = points.indices[source.name]
    positions = points.positions[seen]
    in_target = transformed(inverse(target.known_pose()), positions)
    in_front = in_target[:, 2] > MINIMUM_DEPTH
    seen, positions, in_target = seen[in_front], positions[in_front], in_target[in_front]
    target_pixels = target.camera.pinhole().project(in_target)
    _, here, there = np.intersect1d(seen, points.indices[target.name], return_indices=True)
    target_pixels[here] = points.pixels[target.name][there]
    is_observed = np.zeros(len(seen), dtype=np.bool_)
    is_observed[here] = True
    return _SharedPoints(
        transformed(inverse(source.known_pose()), positions),
        points.pixels[source.name][in_front].astype(np.float64),
        target_pixels,
        is_observed,
    )


def _covisible_pairs(
    frames: Sequence[SourceFrame], points: KnownPoints, common_points: int
) -> NDArray[np.intp]:
    """Pairs (P, 2) of indices of frames that see enough common points."""
    sees = np.zeros((len(frames), len(points.positions)), dtype=np.float32)
    for row, frame in zip(sees, frames, strict=True):
        row[points.indices[frame.name]] = 1
    return np.argwhere(np.triu(sees @ sees.T, k=1) >= common_points)
