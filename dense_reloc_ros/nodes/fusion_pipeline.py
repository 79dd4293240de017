"""From the relocalizer's answers to fused ones: what a configured temporal_fusion consists of."""

from __future__ import annotations

import time
import traceback
from dataclasses import replace

from geometry_msgs.msg import PoseWithCovarianceStamped
from rclpy.lifecycle import LifecycleNode

from dense_reloc_ros.localization.result import Localization
from dense_reloc_ros.msg import RelocResult
from dense_reloc_ros.nodes.answer import Answer
from dense_reloc_ros.nodes.configuration import FusionConfiguration
from dense_reloc_ros.nodes.frame_fuser import FrameFuser, MakeFusion
from dense_reloc_ros.nodes.odometry_input import OdometryInput
from dense_reloc_ros.nodes.output import QOS, Output, stamped_pose
from dense_reloc_ros.nodes.pipeline import SILENCE_SECONDS
from dense_reloc_ros.nodes.reporting import ChangeReporter
from dense_reloc_ros.nodes.results import MapIdentity, result_message
from dense_reloc_ros.nodes.robot_frames import RobotFrames
from dense_reloc_ros.nodes.statistics import Statistics
from dense_reloc_ros.nodes.transforms import open_transforms
from dense_reloc_ros.nodes.worker import NewestItemWorker
from dense_reloc_ros.temporal.fusion_configuration import TemporalConfiguration


class FusionPipeline:
    """Takes answers about single frames, fuses and publishes those between start and stop."""

    def __init__(
        self,
        node: LifecycleNode,
        settings: FusionConfiguration,
        configuration: TemporalConfiguration,
        reporter: ChangeReporter,
        make_fusion: MakeFusion,
    ) -> None:
        self.statistics = Statistics()
        self.identity = MapIdentity("", "", "")
        self._node = node
        self._reporter = reporter
        self._transforms = open_transforms(node)
        self._robot = RobotFrames(settings, self._transforms, reporter)
        log = node.get_logger()
        self.fuser = FrameFuser(configuration, self._robot, reporter, log, make_fusion)
        self._output = Output(node, self._robot)
        self._raw_pose = node.create_lifecycle_publisher(
            PoseWithCovarianceStamped, "~/raw_pose", QOS
        )
        self._odometry = OdometryInput(node, self._hear_odometry, self._transforms.clear)
        self._worker: NewestItemWorker[Answer] | None = None
        self._started = self._last_received = 0.0
        self._received = self._dropped = self._skipped = self._fused = self._outliers = 0

    def reconfigure(
        self, settings: FusionConfiguration, configuration: TemporalConfiguration
    ) -> None:
        """Changes parameters between two frames."""
        self._robot.settings = settings
        self.fuser.reconfigure(configuration)

    def start(self) -> None:
        """Begins to fuse answers."""
        self._started = time.monotonic()
        self._worker = NewestItemWorker(self._process)

    def stop(self) -> None:
        """Returns when the answer in work is done; later ones are left alone."""
        worker, self._worker = self._worker, None
        if worker is not None:
            worker.stop()
            self._dropped += worker.dropped

    def close(self) -> None:
        """Stops and takes all publishers and subscriptions away."""
        self.stop()
        self._odometry.close()
        self._output.close()
        self._node.destroy_lifecycle_publisher(self._raw_pose)
        self._transforms.close()

    def take(self, answer: Answer) -> None:
        """Takes the relocalizer's answer about a frame; the newest one wins."""
        self._received += 1
        self._last_received = time.monotonic()
        worker = self._worker
        if worker is not None:
            worker.submit(answer)

    @property
    def complaint(self) -> str:
        """What keeps frames from coming, empty when nothing does."""
        if time.monotonic() - max(self._started, self._last_received) > SILENCE_SECONDS:
            return "nothing comes from the relocalizer"
        return ""

    @property
    def counts(self) -> dict[str, int]:
        """How many frames came, and what became of them."""
        dropped = self._dropped + (0 if self._worker is None else self._worker.dropped)
        return {
            "frames received": self._received,
            "frames dropped for newer ones": dropped,
            "frames skipped": self._skipped,
            "frames fused with earlier ones": self._fused,
            "outliers": self._outliers,
        }

    def _hear_odometry(self, frame_id: str, stamp: int) -> None:
        """With each transform of the odometry comes one of the map."""
        settings = self._robot.settings
        if settings.publish_tf and self._worker is not None and frame_id == settings.odom_frame:
            self._output.transform.repeat(stamp)

    def _process(self, answer: Answer) -> None:
        try:
            result = answer.result
            self.identity = MapIdentity(result.header.frame_id, result.map_revision, result.method)
            fused = self.fuser.fuse(answer)
            if fused is None:
                self._skipped += 1
                return
            self._fused += fused.is_fused
            localization = fused.localization
            self._outliers += fused.raw.is_localized and not localization.is_localized
            if fused.raw.is_localized:
                raw = self._result(answer, fused.raw)
                if raw.base_frame_id:
                    self._raw_pose.publish(stamped_pose(raw))
            result = self._result(answer, localization)
            self._output.publish(replace(answer, localization=localization, result=result))
            self.statistics.add(localization, time.monotonic() - answer.header.received)
        except Exception:  # the thread must live on: the next frame may go well
            self._node.get_logger().error(traceback.format_exc())

    def _result(self, answer: Answer, localization: Localization) -> RelocResult:
        header = answer.header
        return result_message(
            header,
            localization,
            self.identity,
            self._robot.base_frame(header),
            self._robot.base_in_camera(header) if localization.is_localized else None,
            time.monotonic() - header.received,
        )
