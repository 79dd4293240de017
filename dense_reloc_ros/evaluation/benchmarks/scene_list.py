"""Scenes to measure in: what maps each, and which queries are localized there.

A scene list is a YAML file; its paths are relative to a folder of data. Photographed scenes without
queries of their own are mapped by their images at even positions, the others query them. Of other
scenes, stretches of the map's frames may be left out of it to query it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator
from scipy.spatial.distance import pdist

from dense_reloc_ros.errors import ConfigurationError, InputError
from dense_reloc_ros.evaluation.benchmarks.runner import QuerySet
from dense_reloc_ros.mapping.map_of_source import MapSource, seven_scenes_source
from dense_reloc_ros.mapping.sources.camera_info_file import load_camera_info
from dense_reloc_ros.mapping.sources.colmap import read_colmap
from dense_reloc_ros.mapping.sources.known_points import KnownPoints
from dense_reloc_ros.mapping.sources.source_frame import SourceFrame
from dense_reloc_ros.parameter_blocks import Block, load_block

MULTIVIEW_FILE = "scenes.json"
POINT_SHARE = 0.9
"""Of the points count for the extent: those nearest to the middle."""


class FramesEntry(Block):
    """Frames with poses: a folder in the layout of 7-Scenes, or the images of a COLMAP model."""

    seven_scenes: Path | None = Field(None, description="Folder; needs camera_info")
    camera_info: Path | None = Field(None, description="Intrinsics, ROS YAML")
    colmap: Path | None = Field(None, description="Folder of the model; needs images")
    images: Path | None = Field(None, description="Folder of the images")
    every: int = Field(1, ge=1, description="Take every so many frames")

    @model_validator(mode="after")
    def _one_kind(self) -> FramesEntry:
        rgbd, photos = (self.seven_scenes, self.camera_info), (self.colmap, self.images)
        if not (all(rgbd) and not any(photos)) and not (all(photos) and not any(rgbd)):
            raise ValueError("frames are seven_scenes with camera_info, or colmap with images")
        return self

    def source(self, data: Path) -> MapSource:
        """The frames, with paths relative to a folder."""
        if self.seven_scenes and self.camera_info:
            camera = load_camera_info(data / self.camera_info)
            source = seven_scenes_source(data / self.seven_scenes, camera)
        else:
            assert self.colmap and self.images  # as validated
            frames, points = read_colmap(data / self.colmap, data / self.images)
            source = MapSource(frames, f"COLMAP model {self.colmap}", points)
        return replace(source, frames=source.frames[:: self.every])


class LeftOut(Block):
    """Stretches of a map's frames, which some parts share in turns; one part queries the rest."""

    length: int = Field(ge=1, description="Frames of a stretch")
    parts: int = Field(ge=2, description="How many there are")
    part: int = Field(ge=0, description="The one that queries, counted from 0")

    @model_validator(mode="after")
    def _exists(self) -> LeftOut:
        if self.part >= self.parts:
            raise ValueError(f"part {self.part} of {self.parts}, counted from 0: there is none")
        return self

    def split(self, name: str, source: MapSource) -> tuple[MapSource, list[SourceFrame]]:
        """The map of the others, with known points that two of its images see, and the queries.

        Raises:
            InputError: fewer than four frames.
        """
        if len(source.frames) < 4:
            raise InputError(f"scene {name}: {len(source.frames)} images are too few to split")
        kept: list[SourceFrame] = []
        queries: list[SourceFrame] = []
        for number, frame in enumerate(source.frames):
            is_query = number // self.length % self.parts == self.part
            (queries if is_query else kept).append(frame)
        fair = source.points and seen_twice(source.points, [frame.name for frame in kept])
        description = f"scene {name}, but its queries"
        return replace(source, frames=kept, description=description, points=fair), queries


EVERY_SECOND = LeftOut(length=1, parts=2, part=1)


class SceneEntry(Block):
    """One scene of a list."""

    name: str
    map: FramesEntry
    queries: FramesEntry | LeftOut | None = Field(
        None, description="None: the images at odd positions of a map of photographs"
    )
    unit: Literal["metres", "relative"] = Field(
        "metres", description="relative: the scene's extent counts as a metre"
    )
    place: str = Field("", description="Scenes of the same place are not told apart; the name")

    @model_validator(mode="after")
    def _queries(self) -> SceneEntry:
        if self.queries is None and self.map.colmap is None:
            raise ValueError("only photographs of a COLMAP model can be their own queries")
        return self


class SceneList(Block):
    """The content of the file."""

    scenes: tuple[SceneEntry, ...] = Field(min_length=1)


@dataclass(frozen=True)
class Scene:
    """A scene that was opened."""

    entry: SceneEntry
    source: MapSource
    queries: QuerySet

    @property
    def name(self) -> str:
        return self.entry.name

    @property
    def place(self) -> str:
        return self.entry.place or self.name


def load_scenes(path: Path) -> list[SceneEntry]:
    """The scenes of a list.

    Raises:
        ConfigurationError: a file that cannot be read or is not valid.
    """
    return list(load_block(SceneList, path).scenes)


def multiview_scenes(folder: Path, split: str) -> list[SceneEntry]:
    """The scenes of a split (`train` or `test`) that the table of a multiview folder names.

    Raises:
        InputError: the table of scenes is missing or damaged.
    """
    path = folder / MULTIVIEW_FILE
    try:
        scenes = json.loads(path.read_text())
        names = [scene["scene"] for scene in scenes if scene["split"] == split]
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from None
    except (ValueError, KeyError, TypeError):
        raise InputError(f"{path}: not a list of scenes with their splits") from None
    return [
        SceneEntry(
            name=name,
            map=FramesEntry(colmap=Path(name) / "sparse", images=Path(name) / "images"),
            unit="relative",
        )
        for name in names
    ]


def chosen_scenes(scenes: Sequence[SceneEntry], names: Sequence[str] | None) -> list[SceneEntry]:
    """The scenes of some names, or all of them.

    Raises:
        ConfigurationError: there is no scene of a name.
    """
    known = [scene.name for scene in scenes]
    for name in names or ():
        if name not in known:
            raise ConfigurationError(f"no scene '{name}' (known: {', '.join(known)})")
    return [scene for scene in scenes if names is None or scene.name in names]


def open_scene(entry: SceneEntry, data: Path, every: int = 1) -> Scene:
    """Reads what a scene consists of, with every so many of its queries.

    Raises:
        InputError: frames that are missing or cannot be used, or fewer than four to split.
        ConfigurationError: a relative unit of a scene without points.
    """
    source = entry.map.source(data)
    everything = source
    if isinstance(entry.queries, FramesEntry):
        queries = list(entry.queries.source(data).frames)
    else:
        source, queries = (entry.queries or EVERY_SECOND).split(entry.name, source)
    metre = 1.0 if entry.unit == "metres" else _extent(entry.name, everything, queries)
    return Scene(entry, source, QuerySet(entry.name, queries[::every], metre))


def _extent(name: str, source: MapSource, queries: Sequence[SourceFrame]) -> float:
    if source.points is None:
        raise ConfigurationError(f"scene {name}: only scenes with points can be measured by extent")
    poses = [frame.T_map_camera for frame in [*source.frames, *queries]]
    centres = np.array([pose[:3, 3] for pose in poses if pose is not None])
    return scene_extent(centres, source.points.positions)


def seen_twice(points: KnownPoints, names: Sequence[str]) -> KnownPoints:
    """The points that two or more of some images see: what these alone could triangulate."""
    counts = np.zeros(len(points.positions), dtype=np.int64)
    for name in names:
        counts[np.unique(points.indices[name])] += 1
    fair = {name: counts[points.indices[name]] >= 2 for name in names}
    return replace(
        points,
        pixels={name: points.pixels[name][kept] for name, kept in fair.items()},
        indices={name: points.indices[name][kept] for name, kept in fair.items()},
    )


def scene_extent(centres: NDArray[np.float64], points: NDArray[np.float64]) -> float:
    """How large a scene is: the smaller one of two diameters, so that no outlier makes it larger.

    One is the largest distance between camera centres (N, 3), which a telephoto lens stretches; the
    other that of the ball around the median of the points (P, 3) that holds 90 % of them, which a
    distant background stretches.
    """
    radii = np.linalg.norm(points - np.median(points, axis=0), axis=1)
    return float(min(pdist(centres).max(), 2 * np.quantile(radii, POINT_SHARE)))
