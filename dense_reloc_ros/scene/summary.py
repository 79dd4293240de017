"""What is in a map, in numbers."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel

from dense_reloc_ros.features.extractor import FeatureSignature
from dense_reloc_ros.scene.layout import (
    IMAGE_FOLDER,
    INFORMATION_FILE,
    TENSOR_FILE,
    coordinate_path,
)
from dense_reloc_ros.scene.map_path import local_path
from dense_reloc_ros.scene.reader import load_map
from dense_reloc_ros.scene.scene_map import MapCalibration, MapInformation, SceneMap
from dense_reloc_ros.scene.verdict import MapVerdict

_MEGABYTE = 1e6


class CoordinateSummary(BaseModel):
    """The coordinate maps of a map."""

    rows: int
    columns: int
    known: float
    """Share of all cells whose point is known."""
    size_mb: float


class MapSummary(BaseModel):
    """What `dense-reloc map info` tells; sizes in MB of 10⁶ bytes."""

    path: str
    format_version: int
    revision: str
    created: str
    source: str
    frame_id: str
    keyframes: int
    points: int
    observations: int
    observations_per_point: float
    bounding_box: tuple[tuple[float, float, float], tuple[float, float, float]]
    signature: FeatureSignature
    calibration: MapCalibration
    left_out: dict[str, int]
    verdict: MapVerdict | None
    size_mb: float
    """Without images and coordinate maps, which only DSM needs."""
    size_mb_per_keyframe: float
    images_mb: float
    coordinates: CoordinateSummary | None


def summarize_map(path: Path) -> MapSummary:
    """Reads all of a map and counts what is in it.

    Raises:
        MapError: a map that cannot be used, or whose content was changed since it was written.
    """
    path = local_path(path)
    scene_map = load_map(path, verify_content=True)
    information = scene_map.information
    size = sum((path / name).stat().st_size for name in (INFORMATION_FILE, TENSOR_FILE)) / _MEGABYTE
    images = sum(image.stat().st_size for image in (path / IMAGE_FOLDER).glob("*")) / _MEGABYTE
    return MapSummary(
        path=str(path),
        format_version=information.format_version,
        revision=information.revision,
        created=information.created,
        source=information.source,
        frame_id=information.frame_id,
        keyframes=scene_map.keyframe_count,
        points=information.point_count,
        observations=information.observation_count,
        observations_per_point=information.observation_count / information.point_count,
        bounding_box=_in_map_frame(information),
        signature=information.signature,
        calibration=information.calibration,
        left_out=information.left_out,
        verdict=information.verdict,
        size_mb=size,
        size_mb_per_keyframe=size / scene_map.keyframe_count,
        images_mb=images,
        coordinates=_summarize_coordinates(path, scene_map),
    )


def _in_map_frame(
    information: MapInformation,
) -> tuple[tuple[float, float, float], tuple[float, float, float]]:
    (x, y, z), (low, high) = information.origin, information.bounding_box
    return (low[0] + x, low[1] + y, low[2] + z), (high[0] + x, high[1] + y, high[2] + z)


def _summarize_coordinates(path: Path, scene_map: SceneMap) -> CoordinateSummary | None:
    if scene_map.coordinates is None:
        return None
    return CoordinateSummary(
        rows=scene_map.coordinates.shape[1],
        columns=scene_map.coordinates.shape[2],
        known=float(scene_map.coordinates[..., 0].isfinite().float().mean()),
        size_mb=coordinate_path(path).stat().st_size / _MEGABYTE,
    )
