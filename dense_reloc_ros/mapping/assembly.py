"""Puts described keyframes and placed points together to a map."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timezone

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dense_reloc_ros.features.extractor import FeatureSignature
from dense_reloc_ros.geometry.camera import Camera
from dense_reloc_ros.mapping.describing import KeyframeDescription, Vocabulary
from dense_reloc_ros.scene.colours import mean_colours
from dense_reloc_ros.scene.layout import VOCABULARY
from dense_reloc_ros.scene.scene_map import (
    FORMAT_VERSION,
    MapCalibration,
    MapInformation,
    SceneMap,
)

Corner = tuple[float, float, float]


@dataclass(frozen=True)
class DescribedKeyframe:
    """What stays of a keyframe once its image is forgotten."""

    name: str
    camera: Camera
    """Without distortion."""
    T_map_camera: NDArray[np.float64]
    description: KeyframeDescription
    colours: NDArray[np.uint8]
    """(N, 3) RGB of the keypoints."""


@dataclass(frozen=True)
class MapParts:
    """K keyframes (at least one), P points, and which point each keypoint is."""

    keyframes: Sequence[DescribedKeyframe]
    points: NDArray[np.float64]
    """(P, 3), metres in the map frame."""
    tracks: Sequence[NDArray[np.int64]]
    """For each keyframe the index of the point of each of its keypoints, (N,)."""
    vocabulary: Vocabulary
    signature: FeatureSignature


def assemble_map(parts: MapParts, frame_id: str, source: str) -> SceneMap:
    """The map of its parts, without calibration and, as it is not written yet, revision."""
    points = torch.from_numpy(parts.points.astype(np.float32))
    counts = [len(track) for track in parts.tracks]
    information = MapInformation(
        format_version=FORMAT_VERSION,
        revision="",
        frame_id=frame_id,
        keyframe_names=[keyframe.name for keyframe in parts.keyframes],
        point_count=len(points),
        observation_count=sum(counts),
        bounding_box=_bounding_box(points),
        signature=parts.signature,
        calibration=MapCalibration(),
        created=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        source=source,
    )
    descriptions = [keyframe.description for keyframe in parts.keyframes]
    retrieval = _joined([description.retrieval for description in descriptions], torch.stack)
    tracks = np.concatenate(parts.tracks)
    seen = np.concatenate([keyframe.colours for keyframe in parts.keyframes])
    retrieval |= {VOCABULARY + name: value.cpu() for name, value in parts.vocabulary.items()}
    return SceneMap(
        information=information,
        cameras=tuple(keyframe.camera for keyframe in parts.keyframes),
        keyframe_poses=torch.from_numpy(np.stack([k.T_map_camera for k in parts.keyframes])),
        points=points,
        observation_offsets=torch.from_numpy(np.cumsum([0, *counts], dtype=np.int64)),
        observation_points=torch.from_numpy(tracks),
        observation_pixels=torch.from_numpy(np.concatenate([d.pixels for d in descriptions])),
        descriptors=_joined([description.descriptors for description in descriptions], torch.cat),
        retrieval=retrieval,
        colours=torch.from_numpy(mean_colours(tracks, seen, len(points))),
    )


def with_information(scene_map: SceneMap, **changed: object) -> SceneMap:
    """The map with other values of fields of its information."""
    return replace(scene_map, information=scene_map.information.model_copy(update=changed))


def _bounding_box(points: Tensor) -> tuple[Corner, Corner]:
    (x0, y0, z0), (x1, y1, z1) = (corner.tolist() for corner in points.aminmax(dim=0))
    return (x0, y0, z0), (x1, y1, z1)


def _joined(
    parts: Sequence[Mapping[str, Tensor]], join: Callable[[list[Tensor]], Tensor]
) -> dict[str, Tensor]:
    return {name: join([part[name] for part in parts]) for name in parts[0]}
