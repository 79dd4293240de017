"""Photographed scenes with a COLMAP model: every second image maps the scene, the others query it.

A folder holds the scenes and `scenes.json`, which says what each may be used for.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import pdist

from dense_reloc_ros.errors import ConfigurationError, InputError
from dense_reloc_ros.mapping.map_of_source import MapSource
from dense_reloc_ros.mapping.sources.colmap import read_colmap
from dense_reloc_ros.mapping.sources.known_points import KnownPoints
from dense_reloc_ros.mapping.sources.source_frame import SourceFrame

SCENE_FILE = "scenes.json"
POINT_SHARE = 0.9
"""Of the points count for the extent: those nearest to the middle."""


@dataclass(frozen=True)
class PhotographedScene:
    """A scene, split as the multiview data says."""

    name: str
    source: MapSource
    """Images at even positions of the sorted names, and the points that two of them see."""
    queries: list[SourceFrame]
    """Images at odd positions, with their true poses."""
    extent: float
    """See `scene_extent`."""


def scene_names(folder: Path, split: str, names: Sequence[str] | None = None) -> list[str]:
    """The scenes of a split (`train` or `test`) of a multiview folder, or those named of it.

    Raises:
        InputError: the table of scenes is missing or damaged.
        ConfigurationError: a named scene is not in the split.
    """
    path = folder / SCENE_FILE
    try:
        scenes = json.loads(path.read_text())
        known = [scene["scene"] for scene in scenes if scene["split"] == split]
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from None
    except (ValueError, KeyError, TypeError):
        raise InputError(f"{path}: not a list of scenes with their splits") from None
    for name in names or ():
        if name not in known:
            raise ConfigurationError(
                f"no scene '{name}' in the split '{split}' (known: {', '.join(known)})"
            )
    return [name for name in known if names is None or name in names]


def read_scene(folder: Path) -> PhotographedScene:
    """The scene of a folder with `images` and the COLMAP model `sparse`.

    Raises:
        InputError: a model that cannot be read, or fewer than four images.
    """
    frames, points = read_colmap(folder / "sparse", folder / "images")
    if len(frames) < 4:
        raise InputError(f"{folder}: {len(frames)} images are too few to split")
    mapped, queries = frames[::2], frames[1::2]
    fair = seen_twice(points, [frame.name for frame in mapped])
    source = MapSource(mapped, f"scene {folder.name}, every second image", fair)
    centres = np.array([frame.known_pose()[:3, 3] for frame in frames])
    return PhotographedScene(folder.name, source, queries, scene_extent(centres, points.positions))


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
