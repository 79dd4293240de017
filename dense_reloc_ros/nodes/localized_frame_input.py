"""Takes the relocalizer's results from their topic, where it runs in another process."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rclpy.event_handler import SubscriptionEventCallbacks
from rclpy.lifecycle import LifecycleNode

from dense_reloc_ros.errors import RelocError
from dense_reloc_ros.localization.localizer import Localizer
from dense_reloc_ros.msg import LocalizedFrame
from dense_reloc_ros.nodes.feature_messages import LOCALIZED_FRAME_QOS, result_from_message
from dense_reloc_ros.nodes.frame_result import FrameResult
from dense_reloc_ros.nodes.reporting import ChangeReporter


class LocalizedFrameInput:
    """Hands on what comes on relocalizer/localized_frame.

    `on_loss` is called with the reason when the relocalizer goes away.
    """

    def __init__(
        self,
        node: LifecycleNode,
        localizer: Callable[[], Localizer | None],
        on_result: Callable[[FrameResult], None],
        on_loss: Callable[[str], None],
        reporter: ChangeReporter,
    ) -> None:
        self._node = node
        self._localizer = localizer
        self._on_result = on_result
        self._on_loss = on_loss
        self._reporter = reporter
        self._subscription = node.create_subscription(
            LocalizedFrame,
            "relocalizer/localized_frame",
            self._take,
            LOCALIZED_FRAME_QOS,
            event_callbacks=SubscriptionEventCallbacks(matched=self._on_matched),
        )

    def close(self) -> None:
        """Stops listening."""
        self._node.destroy_subscription(self._subscription)

    def _on_matched(self, status: Any) -> None:
        if status.current_count_change < 0:
            self._on_loss("the relocalizer went away")

    def _take(self, message: LocalizedFrame) -> None:
        try:
            result = result_from_message(message, self._localizer_for(message.result.map_revision))
        except (RelocError, ValueError) as error:  # ValueError: a status or lengths that are none
            self._reporter.problem("frames of the relocalizer", str(error))
            return
        self._reporter.resolved("frames of the relocalizer")
        self._on_result(result)

    def _localizer_for(self, revision: str) -> Localizer | None:
        """This node's localizer where it has the relocalizer's map."""
        localizer = self._localizer()
        own = "none" if localizer is None else localizer.scene_map.information.revision
        if revision and own != revision:
            self._reporter.problem(
                "map",
                f"the relocalizer's is {revision}, this node's {own}: until ~/load_map brings the "
                "same, frames are localized one by one",
            )
            return None
        self._reporter.resolved("map")
        return localizer
