"""The fake relocalizer with a temporal_fusion whose filter moves every pose by 2 cm.

`python -m evaluation.fake_fusing_relocalizer`; started in place of the real ones.
"""

from __future__ import annotations

import sys

from evaluation.fake_relocalizer import open_localizer

from dense_reloc_ros.geometry.se3 import FloatArray
from dense_reloc_ros.temporal.configuration import FilterConfiguration
from dense_reloc_ros.temporal.filter import FilteredPose

STEP = 0.02
"""Along the map's y axis, metres."""


class MovingFilter:
    def __init__(self, configuration: FilterConfiguration) -> None: ...

    def update(
        self,
        stamp: int,
        T_map_body: FloatArray,
        covariance: FloatArray,
        T_odom_body: FloatArray | None,
    ) -> FilteredPose:
        moved = T_map_body.copy()
        moved[1, 3] += STEP
        return FilteredPose(moved, covariance, is_outlier=False)


if __name__ == "__main__":
    from rclpy.node import Node

    from dense_reloc_ros.nodes.relocalizer import Relocalizer
    from dense_reloc_ros.nodes.running import run_nodes
    from dense_reloc_ros.nodes.temporal_fusion import TemporalFusion

    def make_nodes() -> list[Node]:
        relocalizer = Relocalizer(open_localizer)
        return [TemporalFusion(relocalizer, make_filter=MovingFilter), relocalizer]

    sys.exit(run_nodes(make_nodes))
