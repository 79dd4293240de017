"""The parameters of the fusion over time; ROS parameters carry the same names."""

from __future__ import annotations

from pydantic import Field

from dense_reloc_ros.configuration import Block


class TemporalConfiguration(Block):
    """Correlation with the previous frame (DSM 3.3)."""

    max_age: float = Field(
        0.5, gt=0.0, le=10.0, description="Seconds for which a localized frame helps later ones"
    )
    sure: float = Field(
        0.98,
        ge=0.0,
        le=1.0,
        description="Confidence from which on a single frame's pose needs no help",
    )
    largest_step: float = Field(
        0.1,
        gt=0.0,
        le=10.0,
        description="How far a pose may be from the predicted one, as a share of the depth",
    )
    largest_turn: float = Field(
        0.12,
        gt=0.0,
        le=3.2,
        description="How far a pose may be turned from the predicted one, radians",
    )
    least_map_score: float = Field(
        0.6,
        ge=0.0,
        le=1.0,
        description="Score that a predicted pose needs by the map alone, as a share of the "
        "threshold of single frames",
    )
