"""What several images find together, against one alone."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from pydantic import BaseModel, ConfigDict
from scipy.spatial.transform import Rotation

from dense_reloc_ros.evaluation.metrics.accuracy import RECALL_THRESHOLDS
from dense_reloc_ros.geometry.arrays import FloatArray
from dense_reloc_ros.geometry.se3 import PoseError, pose_error
from dense_reloc_ros.localization.result import Localization
from dense_reloc_ros.localization.rig_images import RigImage
from dense_reloc_ros.localization.rig_localizer import RigLocalizer

WRONG = PoseError(0.25, float(np.radians(10.0)))
"""Metres and radians, from which on a published pose would mislead a robot."""


@dataclass(frozen=True)
class RigRow:
    """One rig at one moment."""

    rig: str
    localization: Localization
    T_map_camera: FloatArray
    """The truth."""
    milliseconds: float
    """Of processor time."""


class RigResult(BaseModel):
    """How well a rig was localized."""

    model_config = ConfigDict(frozen=True)

    rig: str
    moments: int
    localized: float
    """Share with a pose that was published and is not wrong."""
    within_5cm_5deg: float
    wrong: int
    """Published poses off by more than 0.25 m or 10 degrees."""
    median_cm: float | None
    median_deg: float | None
    nees: float | None
    """Mean normalized estimation error squared of published poses, of 6 degrees of freedom: 6 where
    covariances are right."""
    milliseconds: float
    """Of processor time, median."""
    times_one: float
    """The same relative to the first rig."""


def localize_rigs(
    localizer: RigLocalizer, moments: Iterable[tuple[FloatArray, Mapping[str, Sequence[RigImage]]]]
) -> list[RigRow]:
    """Localizes the rigs at each moment, one after the other; with the true poses (4, 4)."""
    rows = []
    for T_map_camera, rigs in moments:
        for name, images in rigs.items():
            begun = time.process_time()
            found = _localize(localizer, images)
            milliseconds = 1000 * (time.process_time() - begun)
            rows.append(RigRow(name, found, T_map_camera, milliseconds))
    return rows


def _localize(localizer: RigLocalizer, images: Sequence[RigImage]) -> Localization:
    """One image as the node does it."""
    if len(images) == 1:
        return localizer.localizer.localize(images[0].image, images[0].camera)
    return localizer.localize(images)


def rig_results(rows: Sequence[RigRow]) -> list[RigResult]:
    """A result for each rig, in their order."""
    by_rig: dict[str, list[RigRow]] = {}
    for row in rows:
        by_rig.setdefault(row.rig, []).append(row)
    first = float(np.median([row.milliseconds for row in next(iter(by_rig.values()))]))
    return [_result(rig, of_rig, first) for rig, of_rig in by_rig.items()]


def _result(rig: str, rows: Sequence[RigRow], first_milliseconds: float) -> RigResult:
    published = [row for row in rows if row.localization.is_localized]
    errors = [error_of(row) for row in published]
    wrong = sum(e.translation > WRONG.translation or e.rotation > WRONG.rotation for e in errors)
    exact = sum(RECALL_THRESHOLDS["5cm_5deg"].holds(error) for error in errors)
    consistency = [_nees(row) for row in published]
    milliseconds = float(np.median([row.milliseconds for row in rows]))
    return RigResult(
        rig=rig,
        moments=len(rows),
        localized=(len(published) - wrong) / len(rows),
        within_5cm_5deg=exact / len(rows),
        wrong=wrong,
        median_cm=float(np.median([100 * e.translation for e in errors])) if errors else None,
        median_deg=float(np.degrees(np.median([e.rotation for e in errors]))) if errors else None,
        nees=float(np.mean(consistency)) if consistency else None,
        milliseconds=milliseconds,
        times_one=milliseconds / first_milliseconds,
    )


def error_of(row: RigRow) -> PoseError:
    """How far the pose that was found is off."""
    assert row.localization.estimate is not None
    return pose_error(row.localization.estimate.T_map_camera, row.T_map_camera)


def _nees(row: RigRow) -> float:
    """The squared error of a published pose in units of its covariance."""
    estimate = row.localization.estimate
    assert estimate is not None
    turn = row.T_map_camera[:3, :3] @ estimate.T_map_camera[:3, :3].T
    off = np.concatenate(
        [
            row.T_map_camera[:3, 3] - estimate.T_map_camera[:3, 3],
            Rotation.from_matrix(turn).as_rotvec(),
        ]
    )
    return float(off @ np.linalg.solve(estimate.covariance, off))
