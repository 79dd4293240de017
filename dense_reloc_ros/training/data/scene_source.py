"""Queries with scene images for DSM, drawn from recordings with depth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray
from pydantic import Field

from dense_reloc_ros.bounded_memory import BoundedMemory
from dense_reloc_ros.errors import InputError
from dense_reloc_ros.features.extractor import image_to_tensor
from dense_reloc_ros.geometry.arrays import DepthImage
from dense_reloc_ros.images.photometric import RandomCamera
from dense_reloc_ros.mapping.sources.source_frame import SourceFrame
from dense_reloc_ros.training.data.crops import Crop, random_crop
from dense_reloc_ros.training.data.depth_frames import DepthFrame, load_depth_frame
from dense_reloc_ros.training.data.depth_source import DepthDataConfiguration, Recording
from dense_reloc_ros.training.examples import SceneQuery


class SceneImagesConfiguration(DepthDataConfiguration):
    """Which scene images a query gets; each of them sees the share `overlap` of the query."""

    scene_images: int = Field(5, ge=1, description="Scene images of a query")
    strangers: float = Field(
        0.0, ge=0, le=1, description="Share of scene images that may show something else"
    )


@dataclass(frozen=True)
class SceneRecording:
    """A recording, and the numbers of those of its frames that are queries and scene images."""

    recording: Recording
    queries: Sequence[int]
    views: Sequence[int]


class SceneSource:
    """Random frames as queries, with frames that see a part of the same as scene images.

    The axes of the map do not matter (`LocalFrame`), so that maps are not turned at random.

    Raises:
        InputError: files that cannot be read, frames without depth or pose, or a recording in which
            no query sees enough of what another frame sees.
    """

    def __init__(
        self,
        recordings: Sequence[SceneRecording],
        configuration: SceneImagesConfiguration,
        size: tuple[int, int],
    ) -> None:
        self._recordings, self.places = recordings, len(recordings)
        self._configuration, self._size = configuration, size
        self._camera = RandomCamera(configuration.photometric)
        self._loaded: BoundedMemory[DepthFrame] = BoundedMemory(
            configuration.memory_mb, lambda frame: frame.nbytes
        )
        self._overlapping = [self._find_overlapping(recording) for recording in recordings]

    def pair(self, number: int) -> SceneQuery:
        """The query of a number with its scene images, always the same.

        Raises:
            InputError: a file that cannot be read.
        """
        rng = np.random.default_rng(number)
        place = int(rng.integers(len(self._recordings)))
        frames = self._recordings[place].recording.frames
        relit = self._recordings[place].recording.relit
        query = int(rng.choice(list(self._overlapping[place])))
        light = relit if relit and rng.random() < 0.5 else frames
        views = [self._load(frames[index]) for index in self._views(place, query, rng)]
        return self._assemble(self._load(light[query]), views, place, rng)

    def _views(self, place: int, query: int, rng: Generator) -> list[int]:
        """Frames for a query: first those that see a part of it, without repetition if possible."""
        near, count = self._overlapping[place][query], self._configuration.scene_images
        chosen = [int(index) for index in rng.permutation(near)[:count]]
        others = [index for index in self._recordings[place].views if index != query]
        strangers = [int(index) for index in rng.permutation(others)]
        for position in range(count):
            if position == len(chosen):
                chosen.append(strangers.pop() if strangers else chosen[0])
            elif position and strangers and rng.random() < self._configuration.strangers:
                chosen[position] = strangers.pop()
        return chosen

    def _assemble(
        self, query: DepthFrame, views: Sequence[DepthFrame], place: int, rng: Generator
    ) -> SceneQuery:
        zoom = self._configuration.zoom
        crops = [random_crop(frame.camera, self._size, zoom, rng) for frame in (query, *views)]
        exposure = self._camera.expose_target(crops[0].image(query.image), rng)
        depth = resampled_depth(query, crops[0])
        depth[exposure.covered] = 0
        scene = [(frame, crop) for frame, crop in zip(views, crops[1:], strict=True)]
        images = [self._camera.expose_source(crop.image(f.image), rng) for f, crop in scene]
        return SceneQuery(
            image_to_tensor(exposure.image)[0],
            torch.from_numpy(depth),
            _tensor(query.T_map_camera),
            _tensor(crops[0].camera(query.camera).intrinsics),
            torch.stack([image_to_tensor(image)[0] for image in images]),
            torch.from_numpy(np.stack([resampled_depth(*one) for one in scene])),
            _tensor([frame.T_map_camera for frame in views]),
            _tensor([crop.camera(frame.camera).intrinsics for frame, crop in scene]),
            place=torch.tensor(place, dtype=torch.int64),
        )

    def _find_overlapping(self, scene: SceneRecording) -> dict[int, NDArray[np.intp]]:
        """For each query that has any, the scene images that see enough of it."""
        pairs = scene.recording.overlapping_pairs(self._configuration.overlap)
        pairs = pairs[np.isin(pairs[:, 0], scene.queries) & np.isin(pairs[:, 1], scene.views)]
        if not len(pairs):
            raise InputError(f"{scene.recording.name}: no two frames see enough of the same")
        return {int(query): pairs[pairs[:, 0] == query, 1] for query in np.unique(pairs[:, 0])}

    def _load(self, frame: SourceFrame) -> DepthFrame:
        return self._loaded.get(id(frame), lambda: load_depth_frame(frame))


def resampled_depth(frame: DepthFrame, crop: Crop) -> DepthImage:
    """Depth (H, W) of a part of a frame, that of the nearest pixel; 0 where it is not reliable."""
    height, width = crop.size
    columns = crop.image_pixels(np.stack([np.arange(width), np.zeros(width)], axis=1))[:, 0]
    rows = crop.image_pixels(np.stack([np.zeros(height), np.arange(height)], axis=1))[:, 1]
    x = np.clip(np.rint(columns), 0, frame.camera.width - 1).astype(np.int64)
    y = np.clip(np.rint(rows), 0, frame.camera.height - 1).astype(np.int64)
    nearest = np.ix_(y, x)
    return np.where(frame.reliable[nearest], frame.depth[nearest], 0).astype(np.float32)


def _tensor(values: object) -> torch.Tensor:
    return torch.from_numpy(np.asarray(values, dtype=np.float32))
