"""A robot with a temporal_fusion: beside a relocalizer, or alone with messages of the test."""

from __future__ import annotations

from typing import Any

from geometry_msgs.msg import PoseWithCovarianceStamped
from lifecycle_msgs.msg import Transition
from nodes.fake_fusion import FakeFusion
from nodes.fake_localizer import FakeMaps
from nodes.observer import wait_for
from nodes.robot import Robot, overrides
from rclpy.context import Context

from dense_reloc_ros.localization.localizer import Localizer
from dense_reloc_ros.msg import LocalizedFrame
from dense_reloc_ros.nodes.relocalizer import Relocalizer
from dense_reloc_ros.nodes.temporal_fusion import TemporalFusion
from dense_reloc_ros.temporal.fusion_configuration import TemporalConfiguration

OF_BOTH = ("base_frame", "odom_frame", "mode")
PATIENCE_SECONDS = 9.0
"""For transforms that will come, on a busy machine."""


class FusingRobot(Robot):
    """What both kinds have: `fusion` stands in for the real one."""

    def __init__(
        self,
        context: Context,
        maps: FakeMaps,
        relocalizer: Relocalizer | None = None,
        shared: bool = True,
        **parameters: Any,
    ) -> None:
        self.maps = maps
        self.fusion = FakeFusion()
        self.fused_with: list[Localizer] = []
        self.configurations: list[TemporalConfiguration] = []
        node = TemporalFusion(
            relocalizer if shared else None,
            maps,
            self._make_fusion,
            context=context,
            parameter_overrides=overrides({"transform_timeout": PATIENCE_SECONDS} | parameters),
        )
        super().__init__(context, node, *([] if relocalizer is None else [relocalizer]))
        self.raw_poses: list[PoseWithCovarianceStamped] = []
        self.collect(PoseWithCovarianceStamped, "temporal_fusion/raw_pose", self.raw_poses)

    def _make_fusion(
        self, localizer: Localizer, configuration: TemporalConfiguration
    ) -> FakeFusion:
        self.fused_with.append(localizer)
        self.configurations.append(configuration)
        return self.fusion

    def wait_for_connections(self) -> None:
        wait_for(lambda: self.tf.get_subscription_count() > 1, "others than itself to listen to TF")
        wait_for(self.tf_static.get_subscription_count, "listeners to static TF")
        for topic in ("result", "pose", "raw_pose"):
            wait_for(
                lambda topic=topic: self.robot.count_publishers(f"temporal_fusion/{topic}"),
                "publishers of temporal_fusion",
            )


class PairHarness(FusingRobot):
    """Beside a relocalizer, which gets only what both need of the parameters.

    They share features, or else the nodes only hear of each other.
    """

    def __init__(
        self, context: Context, maps: FakeMaps, shared: bool = True, **parameters: Any
    ) -> None:
        frames = {name: parameters[name] for name in OF_BOTH if name in parameters}
        self.relocalizer = Relocalizer(
            maps,
            context=context,
            parameter_overrides=overrides(
                {
                    "map": "/maps/kitchen",
                    "publish_tf": False,
                    "transform_timeout": PATIENCE_SECONDS,
                    "max_rate": 0.0,
                }
                | frames
            ),
        )
        super().__init__(context, maps, self.relocalizer, shared, **parameters)

    def activate(self) -> None:
        """Both nodes, as a lifecycle manager does."""
        for node in ("relocalizer", "temporal_fusion"):
            assert self.change_state(Transition.TRANSITION_CONFIGURE, node)
            assert self.change_state(Transition.TRANSITION_ACTIVATE, node)
        for publisher in (self.images, self.camera_infos):
            wait_for(publisher.get_subscription_count, "subscriptions of the relocalizer")
        self.wait_for_connections()


class LoneHarness(FusingRobot):
    """In a process of its own: the test says what comes from the relocalizer."""

    def __init__(self, context: Context, maps: FakeMaps, **parameters: Any) -> None:
        super().__init__(context, maps, **parameters)
        self.open_topic()

    def open_topic(self) -> None:
        """Begins to publish what a relocalizer does."""
        self.frames = self.robot.create_publisher(LocalizedFrame, "relocalizer/localized_frame", 10)

    def close_topic(self) -> None:
        """As when the relocalizer ends."""
        self.robot.destroy_publisher(self.frames)

    def activate(self) -> None:
        """As a lifecycle manager does."""
        assert self.change_state(Transition.TRANSITION_CONFIGURE)
        assert self.change_state(Transition.TRANSITION_ACTIVATE)
        wait_for(self.frames.get_subscription_count, "the subscription of temporal_fusion")
        self.wait_for_connections()
