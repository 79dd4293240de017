"""From the relocalizer's results to fused ones: what a configured temporal_fusion consists of."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

from geometry_msgs.msg import PoseWithCovarianceStamped
from rclpy.lifecycle import LifecycleNode

from dense_reloc_ros.nodes.frame_fuser import FrameFuser, MakeFusion
from dense_reloc_ros.nodes.frame_result import FrameResult
from dense_reloc_ros.nodes.node_configuration import FusionConfiguration
from dense_reloc_ros.nodes.output import QOS, stamped_pose
from dense_reloc_ros.nodes.pipeline import Pipeline
from dense_reloc_ros.nodes.reporting import ChangeReporter
from dense_reloc_ros.nodes.results import MapIdentity, result_message
from dense_reloc_ros.nodes.transforms import Transforms
from dense_reloc_ros.temporal.belief import State
from dense_reloc_ros.temporal.fusion_configuration import TemporalConfiguration


class FusionPipeline(Pipeline[FrameResult]):
    """Takes results of single frames, and fuses and publishes them."""

    def __init__(
        self,
        node: LifecycleNode,
        settings: FusionConfiguration,
        configuration: TemporalConfiguration,
        transforms: Transforms,
        reporter: ChangeReporter,
        on_failure: Callable[[str], None],
        make_fusion: MakeFusion,
    ) -> None:
        super().__init__(
            node,
            settings,
            configuration.filter,
            transforms,
            reporter,
            on_failure,
            with_odometry=True,
        )
        log = node.get_logger()
        self.fuser = FrameFuser(configuration, self._robot, reporter, log, make_fusion)
        self._identity = MapIdentity("", "", "")
        self._raw_pose = node.create_lifecycle_publisher(
            PoseWithCovarianceStamped, "~/raw_pose", QOS
        )
        self._last_received = 0.0
        self._received = self._skipped = self._fused = self._outliers = 0

    def reconfigure(
        self, settings: FusionConfiguration, configuration: TemporalConfiguration
    ) -> None:
        """Changes parameters between two frames."""
        self.believe_by(settings, configuration.filter)
        self.fuser.reconfigure(configuration)

    def close(self) -> None:
        """Stops and takes all publishers and subscriptions away."""
        self.stop()
        self._node.destroy_lifecycle_publisher(self._raw_pose)
        super().close()

    def search_globally(self, reason: str) -> None:
        """Drops what earlier frames let expect."""
        self.fuser.forget(f"the robot is lost: {reason}")

    def take(self, single: FrameResult) -> None:
        """Takes the relocalizer's result of a frame; the newest one wins."""
        self._received += 1
        self._last_received = time.monotonic()
        self._worker.submit(single)

    @property
    def identity(self) -> MapIdentity:
        """The map that the last frame was localized in."""
        return self._identity

    @property
    def complaint(self) -> str:
        """What keeps frames from coming, empty when nothing does."""
        is_done = self._robot.settings.mode == "once" and self.standing.state is not State.LOST
        silent = not is_done and self.is_silent_since(self._last_received)
        return "nothing comes from the relocalizer" if silent else ""

    @property
    def counts(self) -> dict[str, int]:
        """How many frames came, and what became of them."""
        return {
            "frames received": self._received,
            "frames dropped for newer ones": self._worker.dropped,
            "frames skipped": self._skipped,
            "frames fused with earlier ones": self._fused,
            "outliers": self._outliers,
        }

    def process(self, item: FrameResult) -> FrameResult | None:
        """The fused result of a frame; None for one that comes too late."""
        single, message = item, item.message
        self._identity = MapIdentity(message.header.frame_id, message.map_revision, message.method)
        fused = self.fuser.fuse(single)
        if fused is None:
            self._skipped += 1
            return None
        self._fused += fused.is_fused
        self._outliers += fused.raw.is_localized and not fused.localization.is_localized
        raw = None
        if fused.raw.is_localized:
            raw = result_message(single.header, fused.raw, self._identity, self._robot)
        message = result_message(single.header, fused.localization, self._identity, self._robot)
        return replace(single, localization=fused.localization, message=message, raw=raw)

    def publish(self, result: FrameResult) -> None:
        """Says it to everybody."""
        if result.raw is not None and result.raw.base_frame_id:
            self._raw_pose.publish(stamped_pose(result.raw))
        self._output.publish(result)
