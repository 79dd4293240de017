"""Map images whose depth is known at few pixels, for DeViLoc, of frames with dense depth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor

from dense_reloc_ros.bounded_memory import BoundedMemory
from dense_reloc_ros.errors import InputError
from dense_reloc_ros.features.extractor import FeatureExtractor, image_to_tensor
from dense_reloc_ros.geometry.arrays import FloatArray, Mask
from dense_reloc_ros.images.photometric import RandomCamera
from dense_reloc_ros.mapping.sources.source_frame import SourceFrame
from dense_reloc_ros.training.data.crops import random_crop
from dense_reloc_ros.training.data.depth_frames import load_depth_frame
from dense_reloc_ros.training.data.depth_source import DepthDataConfiguration, Recording
from dense_reloc_ros.training.data.points import interesting_pixels
from dense_reloc_ros.training.data.scene_source import resampled_depth
from dense_reloc_ros.training.examples import DepthPixels

POOL = 1200
"""Pixels of an image that examples are drawn from: half of them interesting, half anywhere."""
FEWEST = 200
"""Pixels with depth that an image needs."""
FEWEST_OBSERVED = 2


class DepthPixelsConfiguration(DepthDataConfiguration):
    """How few and how wrong the depths are that a network gets."""

    views: int = Field(1, ge=1, description="Parts of each frame that are used")
    density: tuple[float, float] = Field(
        (0.005, 0.5), description="Share of `points` whose depth is observed; log-uniform"
    )
    noise: float = Field(
        0.1, ge=0, description="Largest deviation of observed depths, over the depth"
    )
    outliers: float = Field(0.2, ge=0, le=1, description="Largest share of wrong observed depths")
    missing: float = Field(
        0.5, ge=0, le=1, description="Share of images of which a part has no observed depth"
    )


@dataclass(frozen=True)
class _Pool:
    """Pixels of an image with their depth and features."""

    positions: NDArray[np.float32]
    """(P, 2): x / z and y / z."""
    depths: NDArray[np.float32]
    """(P,) metres."""
    features: Tensor
    """(P, C) float16."""
    interesting: Mask
    """(P,): those that a map could have points at."""

    @property
    def nbytes(self) -> int:
        return self.positions.nbytes + self.depths.nbytes + self.features.nbytes


class DepthPixelsSource:
    """Pixels of random frames; a place is a recording.

    The features of an image are computed once, as far as memory allows.

    Args:
        recordings: of one place each.
        configuration: how few and how wrong observed depths are.
        size: of the images, (height, width).
        points: of an example: as many unknown ones, of which the observed ones are a share.
        extractor: of the features that the network sees.
    """

    def __init__(
        self,
        recordings: Sequence[Recording],
        configuration: DepthPixelsConfiguration,
        size: tuple[int, int],
        points: int,
        extractor: FeatureExtractor,
    ) -> None:
        self._recordings, self.places = recordings, len(recordings)
        self._configuration, self._size, self._points = configuration, size, points
        self._camera = RandomCamera(configuration.photometric)
        self._extractor = extractor
        self._pools: BoundedMemory[_Pool] = BoundedMemory(
            configuration.memory_mb, lambda pool: pool.nbytes
        )

    def pair(self, number: int) -> DepthPixels:
        """The example of a number, always the same.

        Raises:
            InputError: a file that cannot be read, or a frame with hardly any depth.
        """
        rng = np.random.default_rng(number)
        place = int(rng.integers(len(self._recordings)))
        recording = self._recordings[place]
        frames = [*recording.frames, *recording.relit]
        which, view = int(rng.integers(len(frames))), int(rng.integers(self._configuration.views))
        pool = self._pools.get((place, which, view), lambda: self._make_pool(frames[which], view))
        return self._drawn(pool, place, rng)

    def _make_pool(self, frame: SourceFrame, view: int) -> _Pool:
        rng = np.random.default_rng([view, round(frame.timestamp * 1000)])
        loaded = load_depth_frame(frame)
        crop = random_crop(loaded.camera, self._size, self._configuration.zoom, rng)
        image, camera = crop.image(loaded.image), crop.camera(loaded.camera)
        depth = resampled_depth(loaded, crop)
        corners = interesting_pixels(image, POOL // 2, rng, depth > 0)
        anywhere = rng.uniform(0, 1, (POOL // 2, 2)) * (self._size[1] - 1, self._size[0] - 1)
        pixels = np.concatenate([corners, anywhere])
        columns, rows = np.rint(pixels).astype(np.int64).T
        known = depth[rows, columns] > 0
        if np.count_nonzero(known) < FEWEST:
            raise InputError(f"{frame.name}: has too little depth to learn from")
        exposed = self._camera.expose_source(image, rng)
        return _Pool(
            camera.lift(pixels[known], np.ones(known.sum()))[:, :2].astype(np.float32),
            depth[rows, columns][known],
            self._described(exposed, pixels[known]),
            (np.arange(len(pixels)) < len(corners))[known],
        )

    @torch.inference_mode()
    def _described(self, image: NDArray[np.uint8], pixels: FloatArray) -> Tensor:
        features = self._extractor(image_to_tensor(image, self._extractor.device))
        where = torch.from_numpy(pixels).float()
        return torch.cat(
            [features.levels[name].sample(where) for name in ("coarse", "fine")], dim=-1
        ).half()

    def _drawn(self, pool: _Pool, place: int, rng: Generator) -> DepthPixels:
        """Unknown pixels anywhere, observed ones where a map has points."""
        unknown = rng.choice(len(pool.depths), self._points, len(pool.depths) < self._points)
        share = np.exp(rng.uniform(*np.log(self._configuration.density)))
        count = max(FEWEST_OBSERVED, round(self._points * share))
        candidates = rng.permutation(np.flatnonzero(pool.interesting))
        seen = candidates[self._in_part(pool.positions[candidates], rng)]
        chosen = (seen if len(seen) >= FEWEST_OBSERVED else rng.permutation(len(pool.depths)))[
            :count
        ]
        most = max(FEWEST_OBSERVED, round(self._points * self._configuration.density[1]))
        filled = np.zeros(most, dtype=np.int64)
        filled[: len(chosen)] = chosen
        observed = torch.arange(most) < len(chosen)
        depths = self._disturbed(pool.depths[filled].astype(np.float64), rng)
        return DepthPixels(
            torch.from_numpy(pool.positions[unknown]),
            pool.features[torch.from_numpy(unknown)].float(),
            torch.from_numpy(pool.depths[unknown]),
            torch.from_numpy(pool.positions[filled]),
            pool.features[torch.from_numpy(filled)].float(),
            torch.from_numpy(depths.astype(np.float32)),
            observed,
            place=torch.tensor(place, dtype=torch.int64),
        )

    def _in_part(self, positions: FloatArray, rng: Generator) -> Mask:
        """At which positions (N, 2) a map has points: all, or those on one side of a line."""
        if rng.random() >= self._configuration.missing:
            return np.ones(len(positions), dtype=bool)
        angle, offset = rng.uniform(0, 2 * np.pi), rng.uniform(-0.3, 0.3)
        side = positions @ np.array([np.cos(angle), np.sin(angle)])
        return np.asarray(side > offset)

    def _disturbed(self, depths: FloatArray, rng: Generator) -> FloatArray:
        """Depths (N,) as wrong as those of a map's points may be."""
        deviation = self._configuration.noise * rng.uniform(0, 1) ** 2
        noisy = depths * np.exp(rng.normal(0, deviation, len(depths)))
        wrong = rng.random(len(depths)) < self._configuration.outliers * rng.uniform(0, 1) ** 2
        # What another image sees there may be hidden in this one, and then it lies behind.
        return np.where(wrong, depths * np.exp(rng.normal(0.3, 0.5, len(depths))), noisy)
