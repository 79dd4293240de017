"""The calibrated probability that the pose of a single frame is right."""

from __future__ import annotations

from scipy.special import expit

from dense_reloc_ros.scene.scene_map import ConfidenceCurve, MapCalibration

DEFAULT_CURVE = ConfidenceCurve(slope=14.0, offset=-6.0)
"""Of maps without a curve of their own: about that of rendered rooms."""


def confidence_of(score: float, calibration: MapCalibration) -> float:
    """The probability that a pose of this score is right (s in DSM 3.3.2).

    Right is what lies within 5 degrees and 2.8% of the depth (5 cm in a room) of the truth.
    Maps without a fitted curve get `DEFAULT_CURVE`.
    """
    curve = calibration.confidence or DEFAULT_CURVE
    return float(expit(curve.slope * score + curve.offset))
