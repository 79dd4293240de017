"""All that speaks for and against a pose, in numbers that do not depend on a unit of length."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from dense_reloc_ros.geometry.arrays import FloatArray

FEATURES: Mapping[str, int] = MappingProxyType(
    {
        "gain": 1,
        "supporting": 1,
        "share": 1,
        "agreement": 1,
        "spread": 1,
        "depth_spread": 1,
        "translation_deviation": -1,
        "rotation_deviation": -1,
        "view_change": -1,
        "rival": -1,
    }
)
"""What the confidence depends on, and whether more of it speaks for a pose (1) or against it."""


@dataclass(frozen=True)
class PoseEvidence:
    """What a pose is judged by."""

    mean_gain: float
    """Of the loss maps of the points that the pose puts into the image, as a share of the most
    that a map can gain."""
    supporting: int
    """Points whose loss map gains enough where the pose puts them."""
    visible: int
    """Points that the pose puts into the image."""
    agreement: float
    """Share of the surest coarse maps whose best pixel is where the pose puts the point: whether
    matches alone, as of reprojection errors, say the same."""
    spread: float
    """Share of the cells of a grid over the image in which a point supports the pose."""
    depth_spread: float
    """Standard deviation of the logarithm of the supporting points' depth."""
    translation_deviation: float
    """Predicted, along the worst direction, relative to the median depth of these points."""
    rotation_deviation: float
    """Predicted, about the worst axis, radians."""
    view_change: float
    """How much the view differs from that of the nearest keyframe that it was found with: the root
    of the squared distance, relative to the depth, and the squared angle in radians."""
    rival: float = 0.0
    """The score of the best pose somewhere else relative to this one's; 0 where there is none."""
    equals: float = 0.0
    """How many poses somewhere else explain the image as well; they share the probability. One that
    explains it less well counts as much as it is likely, relative to this one."""
    images: int = 1
    """Of a rig, those that support the pose with something that no other shows."""
    field_share: float = 1.0
    """Of a keyframe's field of view, where the camera sees but a small angle; else 1."""

    def features(self) -> FloatArray:
        """The numbers (10,) that the confidence is a function of, in the order of `FEATURES`."""
        return np.array(
            [
                max(self.mean_gain, 0.0) ** 0.5,
                np.log1p(self.supporting),
                self.supporting / max(self.visible, 1),
                self.agreement,
                self.spread,
                min(self.depth_spread, 1.0),
                np.log(np.clip(self.translation_deviation, 1e-4, 10.0)),
                np.log(np.clip(self.rotation_deviation, 1e-4, 10.0)),
                min(self.view_change, 2.0),
                min(self.rival, 1.0),
            ]
        )
