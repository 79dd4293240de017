"""Maps of one scene with few, noisy or triangulated points, for benchmarks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

import torch

from dense_reloc_ros.errors import ConfigurationError, InputError
from dense_reloc_ros.localization.method import MapKind, Method
from dense_reloc_ros.mapping.map_of_source import (
    MapSource,
    calibrated_map,
    describer_for,
    image_of,
    uncalibrated_map,
)
from dense_reloc_ros.mapping.poor_points import PoorPoints, with_poor_points
from dense_reloc_ros.mapping.sources.triangulation import triangulate
from dense_reloc_ros.scene.progress import Progress, silent
from dense_reloc_ros.scene.scene_map import SceneMap

ALL_POINTS = PoorPoints()


@dataclass(frozen=True)
class PointKind:
    """What the points of a map are."""

    poor: PoorPoints = ALL_POINTS
    triangulated: bool = False
    """By SIFT, as COLMAP does, although there is depth."""


POINT_KINDS: Mapping[str, PointKind] = MappingProxyType(
    {
        "all": PointKind(),
        "5%": PointKind(PoorPoints(share=0.05)),
        "1%": PointKind(PoorPoints(share=0.01)),
        "noisy": PointKind(PoorPoints(noise=0.05)),
        "5%, noisy": PointKind(PoorPoints(share=0.05, noise=0.05)),
        "sift": PointKind(triangulated=True),
    }
)


def check_kinds(names: Sequence[str]) -> None:
    """Raises ConfigurationError for a kind of points that there is none of; lists those known."""
    for name in names:
        if name not in POINT_KINDS:
            known = "; ".join(POINT_KINDS)
            raise ConfigurationError(f"no kind of points '{name}' (known: {known})")


def poor_maps(
    source: MapSource,
    methods: Sequence[Method],
    kinds: Sequence[str],
    device: torch.device,
    calibrate_once: bool = False,
    progress: Progress = silent,
) -> Iterator[tuple[str, dict[MapKind, SceneMap]]]:
    """The maps of a source with depth by each kind of points, one for each kind of method.

    Each is calibrated on its own images as every map is, or, with `calibrate_once`, as the map with
    all points, which saves time. They hold their images in memory.

    Raises:
        InputError: a source without depth, or frames that cannot be used.
        ConfigurationError: an unknown kind of points.
    """
    check_kinds(kinds)
    if not source.has_depth:
        raise InputError(f"{source.description}: needs depth")
    frames = source.frames
    describers = {method.kind: describer_for(method, None, device) for method in methods}
    built: dict[tuple[bool, MapKind], SceneMap] = {}
    for name in kinds:
        kind = POINT_KINDS[name]
        maps: dict[MapKind, SceneMap] = {}
        for method_kind, describer in describers.items():
            if (kind.triangulated, method_kind) not in built:
                if kind.triangulated and source.has_depth:
                    source = replace(source, points=triangulate(frames, progress))
                whole = replace(source, has_depth=not kind.triangulated)
                made = uncalibrated_map(whole, frames, describer, progress=progress)
                if calibrate_once:
                    made = calibrated_map(made, frames, describer, progress)
                built[kind.triangulated, method_kind] = made
            made = with_poor_points(built[kind.triangulated, method_kind], kind.poor)
            if not calibrate_once:
                made = calibrated_map(made, frames, describer, progress)
            maps[method_kind] = replace(made, images=image_of(made, frames))
        yield name, maps
