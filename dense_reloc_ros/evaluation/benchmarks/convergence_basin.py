"""From how far off Feature-PnP still finds its optimum: its basin of convergence."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict
from torch import Tensor

from dense_reloc_ros.errors import InputError
from dense_reloc_ros.features.extractor import image_to_tensor
from dense_reloc_ros.geometry.se3 import exp, inverse, pose_error
from dense_reloc_ros.localization.place_localizer import PlaceLocalizer
from dense_reloc_ros.mapping.sources.source_frame import SourceFrame
from dense_reloc_ros.pose.feature_metric import refine
from dense_reloc_ros.pose.problem import PoseProblem, fine_maps_of
from dense_reloc_ros.retrieval.overlap import overlapping_keyframes

OFFSETS = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0)
"""Degrees that a start is turned by, and as many radians times the depth that it is moved by."""
STARTS = 8
"""Of each frame and offset, each in another direction."""
SAME = 0.1
"""An end that is as many degrees, and radians times the depth, from the optimum is there."""
LEAST_POINTS = 20
LEVEL = "fine"


class Basin(BaseModel):
    """What becomes of starts around the true poses of some frames."""

    model_config = ConfigDict(frozen=True)

    map: str
    weights_sha256: str
    frames: int
    optimum_translation_m: float
    """Median distance of the optima, which starts at the true poses lead to, from these."""
    optimum_rotation_deg: float
    converged: dict[str, float]
    """Share of the starts that lead to the optimum, by degrees."""


@dataclass(frozen=True)
class _Ends:
    """Of one frame."""

    optimum_translation: float
    optimum_rotation: float
    converged: Tensor
    """(offsets, starts) bool."""


def convergence_basin(
    localizer: PlaceLocalizer, name: str, frames: Sequence[SourceFrame], seed: int = 0
) -> Basin:
    """The basin over frames with true poses, by the points that their maps find there.

    Raises:
        InputError: no frame has a true pose that sees enough of the map.
    """
    generator = torch.Generator().manual_seed(seed)
    found = [_ends(localizer, frame, generator) for frame in frames]
    ends = [one for one in found if one is not None]
    if not ends:
        raise InputError("no frame has a true pose from which it shows enough of the map")
    shares = torch.stack([one.converged for one in ends]).float().mean((0, 2)).tolist()
    return Basin(
        map=name,
        weights_sha256=localizer.extractor.signature.weights_sha256,
        frames=len(ends),
        optimum_translation_m=float(np.median([one.optimum_translation for one in ends])),
        optimum_rotation_deg=math.degrees(np.median([one.optimum_rotation for one in ends])),
        converged={f"{offset:g}": share for offset, share in zip(OFFSETS, shares, strict=True)},
    )


def _ends(
    localizer: PlaceLocalizer, frame: SourceFrame, generator: torch.Generator
) -> _Ends | None:
    if frame.T_map_camera is None:
        return None
    truth = frame.T_map_camera.copy()
    truth[:3, 3] -= localizer.scene_map.origin
    camera = frame.camera.pinhole()
    features = localizer.extractor(image_to_tensor(frame.load_undistorted(), localizer.device))
    keyframes, _ = overlapping_keyframes(localizer.scene_map, truth, camera)
    nearest = keyframes[: localizer.configuration.retrieval.keyframes].tolist()
    if not nearest:
        return None
    _, problem = localizer.match(features, nearest, camera)
    T_camera_map = torch.from_numpy(inverse(truth)).to(problem.points)
    seen = fine_maps_of(problem, T_camera_map, localizer.configuration.nre.window)
    visible = problem.select(seen.gains(problem) > 0)
    if len(visible.points) < LEAST_POINTS:
        return None
    depth = float((visible.points @ T_camera_map[2, :3] + T_camera_map[2, 3]).median())
    starts = torch.cat([T_camera_map[None], offset_poses(T_camera_map, depth, generator)])
    poses = _refined(localizer, visible, starts)
    optimum, ends = inverse(poses[0].double().cpu().numpy()), poses[1:].double().cpu().numpy()
    error = pose_error(optimum, truth)
    limit = math.radians(SAME)
    errors = [pose_error(inverse(end), optimum) for end in ends]
    converged = [e.translation <= limit * depth and e.rotation <= limit for e in errors]
    return _Ends(
        error.translation, error.rotation, torch.tensor(converged).view(len(OFFSETS), STARTS)
    )


def offset_poses(T_camera_map: Tensor, depth: float, generator: torch.Generator) -> Tensor:
    """Poses (offsets * starts, 4, 4) that are off by `OFFSETS`, in random directions."""
    directions = torch.randn(len(OFFSETS), STARTS, 2, 3, generator=generator)
    directions = directions / directions.norm(dim=-1, keepdim=True)
    radians = torch.tensor(OFFSETS).deg2rad()[:, None, None]
    moved, turned = radians * depth * directions[..., 0, :], radians * directions[..., 1, :]
    twists = torch.cat([moved, turned], dim=-1).flatten(0, 1).to(T_camera_map)
    return exp(twists) @ T_camera_map


def _refined(localizer: PlaceLocalizer, problem: PoseProblem, starts: Tensor) -> Tensor:
    return refine(
        starts,
        problem.points,
        problem.intrinsics,
        problem.fine_descriptors,
        problem.fine_level,
        localizer.configuration.feature_metric,
    )
