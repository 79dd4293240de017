"""The nodes `relocalizer` and `temporal_fusion` in one process, where they share the features.

One node only may publish the transform: here the relocalizer's `publish_tf` is false.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from rclpy.node import Node
from rclpy.parameter import Parameter

from dense_reloc_ros.nodes.relocalizer import Relocalizer
from dense_reloc_ros.nodes.running import run_nodes
from dense_reloc_ros.nodes.temporal_fusion import TemporalFusion


def make_nodes() -> list[Node]:
    """Both nodes, the one that needs the other first: so they are also ended."""
    relocalizer = Relocalizer(parameter_overrides=[Parameter("publish_tf", value=False)])
    return [TemporalFusion(relocalizer), relocalizer]


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the nodes until interrupted; exit status 2 where their parameters make no sense."""
    return run_nodes(make_nodes, arguments)


if __name__ == "__main__":
    sys.exit(main())
