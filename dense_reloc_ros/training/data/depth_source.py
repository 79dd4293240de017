"""Pairs drawn from recordings with depth: RGB-D sequences and rendered rooms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from pydantic import Field

from dense_reloc_ros.bounded_memory import BoundedMemory
from dense_reloc_ros.errors import InputError
from dense_reloc_ros.images.photometric import PhotometricConfiguration, RandomCamera
from dense_reloc_ros.mapping.sources.source_frame import SourceFrame
from dense_reloc_ros.parameter_blocks import Block
from dense_reloc_ros.training.data.depth_frames import (
    DepthFrame,
    DepthViews,
    load_depth_frame,
    overlapping_pairs,
    thinned,
)
from dense_reloc_ros.training.data.view_pairs import FEWEST_VISIBLE, ViewPair, assemble
from dense_reloc_ros.training.examples import TrainingPair

ATTEMPTS = 50
OVERLAP_TOLERANCE = 0.1
"""Of the depth, when it is asked whether two frames overlap at all."""
OVERLAP_STEP = 4
"""Rows and columns from one that this is asked of to the next."""


class DepthDataConfiguration(Block):
    """How pairs are made of recordings with depth."""

    overlap: float = Field(0.3, gt=0, le=1, description="Share of a source that a target sees")
    zoom: float = Field(1.5, ge=1, description="Largest enlargement of a part of an image")
    tolerance: float = Field(
        0.03, gt=0, lt=1, description="Share by which depths of one point may differ"
    )
    memory_mb: int = Field(512, ge=1, description="Memory for decoded frames")
    photometric: PhotometricConfiguration = PhotometricConfiguration()


@dataclass(frozen=True)
class Recording:
    """Frames of one place, all with depth and pose."""

    name: str
    """For messages: its folder."""
    frames: Sequence[SourceFrame]
    relit: Sequence[SourceFrame] = ()
    """The same frames in other light; targets are taken from both."""

    def overlapping_pairs(self, least: float) -> NDArray[np.intp]:
        """Pairs (P, 2) of indices (source, target): the target sees this share of the source."""
        frames = [thinned(load_depth_frame(frame), OVERLAP_STEP) for frame in self.frames]
        return overlapping_pairs(frames, least, OVERLAP_TOLERANCE)


class DepthSource:
    """Pairs of overlapping frames; a place is a recording.

    Args:
        recordings: of one place each.
        configuration: how pairs are made of them.
        size: of the images, (height, width).
        points: of a pair.

    Raises:
        InputError: files that cannot be read, frames without depth or pose, or a recording without
            two frames of which one sees the share `overlap` of the other.
    """

    def __init__(
        self,
        recordings: Sequence[Recording],
        configuration: DepthDataConfiguration,
        size: tuple[int, int],
        points: int,
    ) -> None:
        self._recordings, self.places = recordings, len(recordings)
        self._views = DepthViews(size, points, configuration.zoom, configuration.tolerance)
        self._camera = RandomCamera(configuration.photometric)
        self._loaded: BoundedMemory[DepthFrame] = BoundedMemory(
            configuration.memory_mb, lambda frame: frame.nbytes
        )
        self._pairs = []
        for recording in recordings:
            self._pairs.append(recording.overlapping_pairs(configuration.overlap))
            if not len(self._pairs[-1]):
                raise InputError(f"{recording.name}: no two frames see enough of the same")

    def pair(self, number: int) -> TrainingPair:
        """The pair of a number, always the same.

        Raises:
            InputError: a file that cannot be read, or parts of images that have too few points in
                common however they are cut.
        """
        rng = np.random.default_rng(number)
        place = int(rng.integers(len(self._recordings)))
        for _ in range(ATTEMPTS):
            views = self._draw(place, rng)
            if np.count_nonzero(views.visible) >= FEWEST_VISIBLE:
                return assemble(views, self._views.points, self._camera, rng)
        raise InputError(f"{self._recordings[place].name}: parts of its images show too little")

    def _draw(self, place: int, rng: Generator) -> ViewPair:
        recording, pairs = self._recordings[place], self._pairs[place]
        source, target = pairs[int(rng.integers(len(pairs)))]
        targets = recording.relit if recording.relit and rng.random() < 0.5 else recording.frames
        return self._views.make(
            self._load(recording.frames[source]), self._load(targets[target]), place, rng
        )

    def _load(self, frame: SourceFrame) -> DepthFrame:
        return self._loaded.get(id(frame), lambda: load_depth_frame(frame))
