"""The fake relocalizer with a temporal_fusion that moves every pose by 2 cm.

`python -m evaluation.fake_fusing_relocalizer`; started in place of the real ones.
"""

from __future__ import annotations

import sys
from dataclasses import replace

from evaluation.fake_relocalizer import make_relocalizer

from dense_reloc_ros.localization.localizer import Localizer
from dense_reloc_ros.temporal.fused_frames import FusedLocalization, LocalizedFrame
from dense_reloc_ros.temporal.fusion_configuration import TemporalConfiguration

STEP = 0.02
"""Along the map's y axis, metres."""


class MovingFusion:
    def __init__(self, localizer: Localizer, configuration: TemporalConfiguration) -> None: ...

    def fuse(self, frame: LocalizedFrame) -> FusedLocalization:
        single, estimate = frame.localization, frame.localization.estimate
        if estimate is None:
            return FusedLocalization(single, single, 0.5, is_fused=False)
        moved = estimate.T_map_camera.copy()
        moved[1, 3] += STEP
        published = replace(single, estimate=replace(estimate, T_map_camera=moved))
        return FusedLocalization(published, single, 0.5, is_fused=True)

    def reset(self) -> None: ...


if __name__ == "__main__":
    from rclpy.node import Node

    from dense_reloc_ros.nodes.running import run_nodes
    from dense_reloc_ros.nodes.temporal_fusion import TemporalFusion

    def make_nodes() -> list[Node]:
        relocalizer = make_relocalizer()
        return [TemporalFusion(relocalizer, make_fusion=MovingFusion), relocalizer]

    sys.exit(run_nodes(make_nodes))
