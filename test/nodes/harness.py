"""A running relocalizer with a fake localizer, and a robot around it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lifecycle_msgs.msg import Transition
from nodes.fake_localizer import FakeMaps
from nodes.observer import wait_for
from nodes.robot import Robot, overrides
from rclpy.context import Context
from sensor_msgs.msg import Image

from dense_reloc_ros.nodes.relocalizer import Relocalizer

Start = Callable[..., "Harness"]
"""Starts a relocalizer with these maps and parameters."""


class Harness(Robot):
    """A robot with a relocalizer that takes all images unless a test wants it otherwise."""

    def __init__(self, context: Context, maps: FakeMaps, **parameters: Any) -> None:
        self.relocalizer = Relocalizer(
            maps, context=context, parameter_overrides=overrides({"max_rate": 0.0} | parameters)
        )
        super().__init__(context, self.relocalizer)

    def activate(self) -> None:
        """Configures and activates as a lifecycle manager does, and waits for the connections."""
        assert self.change_state(Transition.TRANSITION_CONFIGURE)
        assert self.change_state(Transition.TRANSITION_ACTIVATE)
        self.wait_for_connections()

    def wait_for_connections(self) -> None:
        for publisher in (self.camera_infos, self.tf, self.tf_static):
            wait_for(publisher.get_subscription_count, "subscriptions of the relocalizer")
        wait_for(
            lambda: self.images.get_subscription_count() + self.compressed.get_subscription_count(),
            "a subscription to images",
        )
        for topic in ("result", "pose"):
            wait_for(
                lambda topic=topic: self.robot.count_publishers(f"relocalizer/{topic}"),
                "publishers of the relocalizer",
            )

    def look_at_debug_image(self) -> list[Image]:
        """The debug images from now on."""
        seen: list[Image] = []
        self.collect(Image, "relocalizer/debug_image", seen)
        wait_for(
            lambda: self.relocalizer.count_subscribers("relocalizer/debug_image"),
            "the relocalizer to see its audience",
        )
        return seen
