"""How far predicted scene coordinates are from those that depth says (DSM, 4.3 and 4.5)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from dense_reloc_ros.geometry.arrays import DepthImage, FloatArray
from dense_reloc_ros.geometry.camera import Camera
from dense_reloc_ros.geometry.se3 import shifted
from dense_reloc_ros.localization.result import SceneCoordinates
from dense_reloc_ros.mapping.coordinate_maps import coordinate_map

CENTIMETRES = (1, 2, 5, 10, 20, 50)
"""Of the errors that the report counts."""


@dataclass(frozen=True)
class CoordinateErrors:
    """Of the cells of one image whose depth is known; metres."""

    points: NDArray[np.float32]
    """(N,), distances of the predicted points from the true ones."""
    candidates: FloatArray
    """(K,), mean distance of the k-th most similar scene point (e_k); nan where there is none."""


class CoordinateSummary(BaseModel):
    """Errors of scene coordinates over all cells of all images."""

    model_config = ConfigDict(frozen=True)

    cells: int
    """With a known depth."""
    median_m: float
    """Of the distances between predicted and true points."""
    within: dict[str, float]
    """Share of the cells with no larger error (Fig. 5)."""
    candidates_m: list[float | None]
    """e_k: mean error of the k-th most similar scene points of the coarsest level (Fig. 7)."""


def coordinate_errors(
    coordinates: SceneCoordinates, depth: DepthImage, camera: Camera, T_map_camera: FloatArray
) -> CoordinateErrors:
    """The errors against the depth (H, W) of the image, which was taken at a pose (4, 4).

    The paper's formula for e_k has a square root over the norm; its text and plot are of the
    Euclidean distance, as is this.
    """
    depth, pinhole = camera.undistort_depth(depth), camera.pinhole()
    candidates, local = coordinates.candidates, shifted(T_map_camera, -np.array(coordinates.origin))
    truth, coarse_truth = (
        coordinate_map(depth, pinhole, local, (size[0], size[1]))
        for size in (coordinates.points.shape[:2], candidates.shape[1:3])
    )
    errors = np.linalg.norm(coordinates.points - truth, axis=-1)
    candidate_errors = np.linalg.norm(candidates - coarse_truth, axis=-1).reshape(
        len(candidates), -1
    )
    return CoordinateErrors(errors[np.isfinite(errors)].astype(np.float32), _mean(candidate_errors))


def summarize_coordinates(errors: Sequence[CoordinateErrors]) -> CoordinateSummary | None:
    """The errors of all images together; None where no cell has a known depth."""
    points = np.concatenate([one.points for one in errors]) if errors else np.empty(0)
    if not len(points):
        return None
    return CoordinateSummary(
        cells=len(points),
        median_m=float(np.median(points)),
        within={f"{limit}cm": float((points <= limit / 100).mean()) for limit in CENTIMETRES},
        candidates_m=[
            None if np.isnan(value) else float(value) for value in mean_candidate_errors(errors)
        ],
    )


def mean_candidate_errors(errors: Sequence[CoordinateErrors]) -> FloatArray:
    """e_k (K,) over all images, each of the same weight; nan where there is none."""
    return _mean(np.stack([one.candidates for one in errors], axis=1))


def _mean(values: FloatArray) -> FloatArray:
    """The means (K,) of what is finite in values (K, N)."""
    finite = np.isfinite(values)
    sums = np.where(finite, values, 0.0).sum(axis=1)
    return np.asarray(
        np.where(finite.any(axis=1), sums / np.maximum(finite.sum(axis=1), 1), np.nan)
    )
