"""Publishes whether the robot knows where it is, when that changes."""

from __future__ import annotations

from rclpy.lifecycle import LifecycleNode

from dense_reloc_ros.msg import LocalizationState
from dense_reloc_ros.nodes.conversions import time_message
from dense_reloc_ros.nodes.latched import LATCHED
from dense_reloc_ros.temporal.belief import Event, Standing, State


class StatePublisher:
    """The publisher of ~/state, latched."""

    def __init__(self, node: LifecycleNode) -> None:
        self.map_frame = self.revision = ""
        self._node = node
        self._publisher = node.create_lifecycle_publisher(LocalizationState, "~/state", LATCHED)
        self._said: State | None = None

    def close(self) -> None:
        """Takes the publisher away."""
        self._node.destroy_lifecycle_publisher(self._publisher)

    def say(self, standing: Standing) -> None:
        """Publishes another state, or an event."""
        if standing.state is self._said and standing.event is Event.NONE:
            return
        if not self._publisher.is_activated:
            return
        self._said = standing.state
        message = LocalizationState(
            state=standing.state.value,
            event=standing.event.value,
            since=time_message(standing.since),
            reason=standing.reason,
            map_revision=self.revision,
        )
        message.header.stamp = time_message(standing.at)
        message.header.frame_id = self.map_frame
        self._publisher.publish(message)
