"""The parameters of the fusion over time; ROS parameters carry the same names."""

from __future__ import annotations

from pydantic import Field

from dense_reloc_ros.configuration import Block


class TemporalConfiguration(Block):
    """Correlation with the previous frame (DSM 3.3)."""

    max_age: float = Field(
        0.5, gt=0.0, le=10.0, description="Seconds for which a localized frame helps later ones"
    )
