"""Localizations of a robot that stands on a floor: constrained by it, or rejected."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from pydantic import Field
from scipy.special import chdtri

from dense_reloc_ros.geometry.arrays import FloatArray
from dense_reloc_ros.geometry.base_pose import base_pose
from dense_reloc_ros.geometry.planar import Floor, on_floor
from dense_reloc_ros.geometry.se3 import inverse
from dense_reloc_ros.localization.result import Localization, Status
from dense_reloc_ros.parameter_blocks import Block

UNKNOWN_MOUNT = "nothing on TF says how the camera stands over the floor"


class FloorConfiguration(Block):
    """The floor that a robot moves on, where planar is true."""

    height: float = Field(
        0.0,
        ge=-1e6,
        le=1e6,
        description="z of base_frame in the map, metres: that of the floor, and of base_frame over "
        "it",
    )
    deviation_m: float = Field(
        0.02,
        gt=0.0,
        le=10.0,
        description="Metres by which z is usually off, by suspension and uneven floors (standard "
        "deviation)",
    )
    deviation_deg: float = Field(
        1.0,
        gt=0.0,
        le=45.0,
        description="Degrees by which roll and pitch are usually off (standard deviation)",
    )
    gate: float = Field(
        0.9999,
        ge=0.5,
        lt=1.0,
        description="Share of right poses that are taken to fit the floor; others are rejected",
    )

    @property
    def floor(self) -> Floor:
        """What the poses of the base are constrained to."""
        return Floor(self.height, self.deviation_m, float(np.radians(self.deviation_deg)))


@dataclass(frozen=True)
class FloorConstraint:
    """What the floor says of the poses of one frame."""

    floor: Floor
    gate: float
    """The largest squared Mahalanobis distance of a pose from the floor."""
    T_camera_base: FloatArray | None
    """(4, 4): how the camera is mounted; None where that is not known."""

    @property
    def up_in_camera(self) -> FloatArray | None:
        """Where the map's z is in the camera, (3,), if its mount is known."""
        return None if self.T_camera_base is None else self.T_camera_base[:3, 2]

    @classmethod
    def of(
        cls, configuration: FloorConfiguration, T_camera_base: FloatArray | None
    ) -> FloorConstraint:
        """As configured, for a camera that is mounted so."""
        gate = float(chdtri(3, 1 - configuration.gate))
        return cls(configuration.floor, gate, T_camera_base)

    def shifted(self, offset: FloatArray) -> FloorConstraint:
        """The same in a frame whose origin lies elsewhere, by `offset` (3,)."""
        floor = replace(self.floor, height=self.floor.height + float(offset[2]))
        return replace(self, floor=floor)

    def apply(self, localization: Localization) -> Localization:
        """A localization given that the base is on the floor; rejected where it cannot be."""
        estimate = localization.estimate
        if not localization.is_localized or estimate is None:
            return localization
        if self.T_camera_base is None:
            return replace(localization, status=Status.REJECTED, reason=UNKNOWN_MOUNT)
        measured = base_pose(estimate.T_map_camera, estimate.covariance, self.T_camera_base)
        found = on_floor(*measured, self.floor)
        if found.distance > self.gate:
            reason = self._contradiction(measured[0])
            return replace(localization, status=Status.REJECTED, reason=reason)
        T_map_camera, covariance = base_pose(
            found.T_map_base, found.covariance, inverse(self.T_camera_base)
        )
        estimate = replace(estimate, T_map_camera=T_map_camera, covariance=covariance)
        return replace(localization, estimate=estimate)

    def _contradiction(self, T_map_base: FloatArray) -> str:
        rise = T_map_base[2, 3] - self.floor.height
        tilt = np.degrees(np.arctan2(np.hypot(*T_map_base[2, :2]), T_map_base[2, 2]))
        reason = (
            f"the pose contradicts the floor: it is {rise:+.2f} m off its height and "
            f"{tilt:.1f} degrees off upright, more than its covariance allows"
        )
        return reason
