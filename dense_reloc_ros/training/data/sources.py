"""All kinds of training data by their name in a configuration, and mixtures of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Any, Literal, Protocol

import numpy as np
import torch
from pydantic import Field

from dense_reloc_ros.deviloc.point_inference import FEATURES
from dense_reloc_ros.features.extractors import create_extractor
from dense_reloc_ros.training.batches import Source
from dense_reloc_ros.training.data.colmap_pairs import ColmapConfiguration, ColmapSource
from dense_reloc_ros.training.data.depth_pixels import (
    DepthPixelsConfiguration,
    DepthPixelsSource,
)
from dense_reloc_ros.training.data.depth_source import DepthSource
from dense_reloc_ros.training.data.overlap_places import (
    OverlapPhotographsConfiguration,
    OverlapRoomsConfiguration,
    overlap_source,
)
from dense_reloc_ros.training.data.overlap_views import Frozen
from dense_reloc_ros.training.data.rgbd import RgbdConfiguration, rgbd_recordings
from dense_reloc_ros.training.data.rooms import RoomsConfiguration, room_recordings
from dense_reloc_ros.training.data.scene_source import (
    SceneImagesConfiguration,
    SceneRecording,
    SceneSource,
)
from dense_reloc_ros.training.data.warps import WarpsConfiguration, WarpsSource


class RoomScenesConfiguration(RoomsConfiguration, SceneImagesConfiguration):
    """Queries and scene images from rooms that the project renders itself."""

    kind: Literal["room_scenes"] = "room_scenes"  # type: ignore[assignment]
    apart: bool = Field(
        False, description="Queries from the walk of a visitor, scene images from the mapping one"
    )


class RgbdScenesConfiguration(RgbdConfiguration, SceneImagesConfiguration):
    """Queries and scene images from the frames of RGB-D recordings."""

    kind: Literal["rgbd_scenes"] = "rgbd_scenes"  # type: ignore[assignment]


class RoomDepthsConfiguration(RoomsConfiguration, DepthPixelsConfiguration):
    """Map images with few depths from rooms that the project renders itself."""

    kind: Literal["room_depths"] = "room_depths"  # type: ignore[assignment]


class RgbdDepthsConfiguration(RgbdConfiguration, DepthPixelsConfiguration):
    """Map images with few depths from the frames of RGB-D recordings."""

    kind: Literal["rgbd_depths"] = "rgbd_depths"  # type: ignore[assignment]


DataConfiguration = Annotated[
    WarpsConfiguration
    | ColmapConfiguration
    | RgbdConfiguration
    | RoomsConfiguration
    | RgbdScenesConfiguration
    | RoomScenesConfiguration
    | RgbdDepthsConfiguration
    | RoomDepthsConfiguration
    | OverlapRoomsConfiguration
    | OverlapPhotographsConfiguration,
    Field(discriminator="kind"),
]


class PlacedSource(Source, Protocol):
    """A source that knows how many places it shows."""

    @property
    def places(self) -> int:
        """Its pairs have places from 0 up to this."""
        ...


def create_source(
    configuration: DataConfiguration,
    size: tuple[int, int],
    points: int,
    frozen: tuple[str, Frozen] | None = None,
) -> PlacedSource:
    """The source of a configuration: images of `size` (height, width), pairs with `points` points.

    `frozen` is the part of a network that does not learn, after a name that changes with its
    weights: sources for NeurHal keep what it gives.

    Raises:
        InputError: data that is missing or cannot be used; names the file.
        ConfigurationError: a configuration that makes no sense.
    """
    if isinstance(configuration, ColmapConfiguration):
        return ColmapSource(configuration, size, points)
    if isinstance(configuration, RgbdScenesConfiguration | RoomScenesConfiguration):
        return create_scene_source(configuration, size)
    if isinstance(configuration, RgbdDepthsConfiguration | RoomDepthsConfiguration):
        return create_depth_pixels_source(configuration, size, points)
    if isinstance(configuration, OverlapRoomsConfiguration | OverlapPhotographsConfiguration):
        return overlap_source(configuration, size, points, frozen)
    if isinstance(configuration, RgbdConfiguration):
        return DepthSource(rgbd_recordings(configuration), configuration, size, points)
    if isinstance(configuration, RoomsConfiguration):
        return DepthSource(room_recordings(configuration), configuration, size, points)
    return WarpsSource(configuration, size, points)


def create_scene_source(
    configuration: RoomScenesConfiguration | RgbdScenesConfiguration, size: tuple[int, int]
) -> SceneSource:
    """Queries and scene images of `size` (height, width).

    Raises:
        InputError: as `SceneSource`, or what the recordings raise.
    """
    c = configuration
    if isinstance(c, RoomScenesConfiguration):
        mapped = c.frames - c.frames // 2
        parts = (range(mapped, c.frames), range(mapped)) if c.apart else (range(c.frames),) * 2
        scenes = [SceneRecording(recording, *parts) for recording in room_recordings(c)]
    else:
        scenes = [
            SceneRecording(recording, *(range(len(recording.frames)),) * 2)
            for recording in rgbd_recordings(c)
        ]
    return SceneSource(scenes, c, size)


def create_depth_pixels_source(
    configuration: RoomDepthsConfiguration | RgbdDepthsConfiguration,
    size: tuple[int, int],
    points: int,
) -> DepthPixelsSource:
    """Pixels with the features of `compact`, as it ships; images are of `size` (height, width).

    Raises:
        InputError: what the recordings raise.
    """
    if isinstance(configuration, RoomDepthsConfiguration):
        recordings = room_recordings(configuration)
    else:
        recordings = rgbd_recordings(configuration)
    extractor = create_extractor(FEATURES, torch.device("cpu"))
    return DepthPixelsSource(recordings, configuration, size, points, extractor)


class MixedSource:
    """Several sources, each drawn with a probability; their places stay apart."""

    def __init__(self, sources: Sequence[PlacedSource], weights: Sequence[float]) -> None:
        self._sources = sources
        self._shares = np.cumsum(weights) / np.sum(weights)
        self._first_places = np.cumsum([0, *(source.places for source in sources)])
        self.places = int(self._first_places[-1])

    def pair(self, number: int) -> Any:
        """The example of a number, always the same, from a source drawn by the number."""
        draw = np.random.default_rng([number, 0]).random()
        which = int(np.searchsorted(self._shares, draw, side="right"))
        pair = self._sources[which].pair(number)
        return replace(pair, place=pair.place + int(self._first_places[which]))
