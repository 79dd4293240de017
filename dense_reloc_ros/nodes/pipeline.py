"""What the pipelines of both nodes have in common: from what comes in to what is published."""

from __future__ import annotations

import time
import traceback
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Generic, TypeVar

from rclpy.lifecycle import LifecycleNode

from dense_reloc_ros.localization.localizer import Localizer
from dense_reloc_ros.localization.result import Status
from dense_reloc_ros.msg import RelocResult
from dense_reloc_ros.nodes.frame_result import FrameResult
from dense_reloc_ros.nodes.health import tf_problem
from dense_reloc_ros.nodes.node_configuration import NodeConfiguration
from dense_reloc_ros.nodes.output import Output
from dense_reloc_ros.nodes.placement import OTHER_MAP, Placement
from dense_reloc_ros.nodes.reporting import ChangeReporter
from dense_reloc_ros.nodes.results import MapIdentity
from dense_reloc_ros.nodes.robot_frames import BASE, ODOMETRY, RobotFrames
from dense_reloc_ros.nodes.statistics import Statistics
from dense_reloc_ros.nodes.transforms import Heard, Transforms
from dense_reloc_ros.nodes.worker import NewestItemWorker
from dense_reloc_ros.temporal.belief import Belief, Standing
from dense_reloc_ros.temporal.fusion_configuration import MotionConfiguration

SILENCE_SECONDS = 3.0
"""An input that says nothing for so long is worth a warning."""
STOP_SECONDS = 1.5
"""For a frame in work to be done when the node is to stop; then its result is not published."""
FAILURES = 10
"""Frames in a row that fail until the node gives itself up."""
Item = TypeVar("Item")


class Pipeline(ABC, Generic[Item]):
    """What a configured node consists of: it listens from the start, and works on the newest item
    that came between `start` and `stop`.

    `motion` is what is assumed of odometry and robot. `on_failure` is called with the reason, in
    the thread that works, when too many items in a row have failed. `with_odometry`: the transform
    of the map comes with the odometry.
    """

    def __init__(
        self,
        node: LifecycleNode,
        settings: NodeConfiguration,
        motion: MotionConfiguration,
        transforms: Transforms,
        reporter: ChangeReporter,
        on_failure: Callable[[str], None],
        *,
        with_odometry: bool = False,
    ) -> None:
        self.statistics = Statistics()
        self._node = node
        self._reporter = reporter
        self._on_failure = on_failure
        self._transforms = transforms
        self._robot = RobotFrames(settings, transforms, reporter)
        self._belief_configuration = (settings.belief, motion, settings.mode)
        self._placement = Placement(
            node,
            self._robot,
            reporter,
            make_belief(settings, motion),
            self.search_globally,
            with_odometry=with_odometry,
        )
        self._output = Output(node, self._robot, self._placement)
        self._worker: NewestItemWorker[Item] = NewestItemWorker(self._work_on)
        self._started = 0.0
        self._failures = 0

    @property
    @abstractmethod
    def identity(self) -> MapIdentity:
        """The map in use."""

    @property
    @abstractmethod
    def complaint(self) -> str:
        """What keeps frames from coming, empty when nothing does."""

    @property
    @abstractmethod
    def counts(self) -> dict[str, int]:
        """How many frames came, and what became of those without a result of their own."""

    @property
    def output_counts(self) -> dict[str, int]:
        """How much of what was found out has left the node."""
        return {
            "poses published": self._output.poses,
            "transforms published": self._placement.transform.published,
        }

    @property
    def standing(self) -> Standing:
        """Whether the robot knows where it is."""
        return self._placement.standing

    @property
    def confirmed(self) -> tuple[Standing, RelocResult | None]:
        """What is believed, and the last result that confirms it; None where none does."""
        return self._placement.confirmed

    @property
    def output_problem(self) -> str:
        """What keeps poses or the transform from leaving the node, empty when nothing does."""
        settings = self._robot.settings
        if (settings.base_frame or settings.odom_frame) and (problem := tf_problem(self._node)):
            return problem
        if settings.publish_tf and (problem := self._transforms.conflicts.problem):
            return problem
        for subject, missing in (
            (BASE, "no pose is published"),
            (ODOMETRY, "the transform of the map is not published"),
        ):
            if problem := self._reporter.present(subject):
                return f"{missing}: {problem}"
        return ""

    def look_after(self) -> None:
        """Says in the log what is missing, as long as it is."""
        self._reporter.lasting("input", self.complaint)
        self._reporter.lasting("output", self.output_problem)
        self._placement.look_after()

    @abstractmethod
    def process(self, item: Item) -> FrameResult | None:
        """What is found out about an item; None where it is left out."""

    @abstractmethod
    def publish(self, result: FrameResult) -> None:
        """Says what was found out."""

    def search_globally(self, reason: str) -> None:
        """Drops what narrows the search for a robot that is lost for a reason."""

    def believe_by(self, settings: NodeConfiguration, motion: MotionConfiguration) -> None:
        """Changes parameters; the belief begins anew only where its own are others."""
        self._robot.settings = settings
        wanted = (settings.belief, motion, settings.mode)
        if wanted != self._belief_configuration:
            self._belief_configuration = wanted
            self._placement.configure(make_belief(settings, motion))

    def use(self, localizer: Localizer) -> None:
        """Goes on with another map; what is published of the old one ends."""
        self._output.forget(OTHER_MAP)

    def begin_anew(self, reason: str) -> None:
        """Ends what is believed, and looks for the robot everywhere."""
        self._output.forget(reason)
        self.search_globally(reason)

    def start(self) -> None:
        """Begins to work on what comes."""
        self._started = time.monotonic()
        self._failures = 0
        self._placement.start()
        self._worker.start()

    def stop(self) -> None:
        """Leaves alone what comes; returns when the item in work is done, or takes too long."""
        if not self._worker.stop(STOP_SECONDS):
            self._node.get_logger().warning(
                f"a frame that takes longer than {STOP_SECONDS} s goes on, but is not published"
            )

    def close(self) -> None:
        """Stops and takes all publishers and subscriptions away."""
        self.stop()
        self._output.close()

    def is_silent_since(self, last_received: float) -> bool:
        """Whether it is long that something came (monotonic clock), or could have come."""
        return time.monotonic() - max(self._started, last_received) > SILENCE_SECONDS

    def hear(self, heard: Heard) -> None:
        """Takes note of what came on TF."""
        if self._worker.is_running:
            self._output.hear(heard)

    def _work_on(self, item: Item) -> None:
        try:
            result = self.process(item)
            if result is None or not self._worker.is_here:
                return
            self.publish(result)
        except Exception as error:  # the thread must live on: the next frame may go well
            if self._worker.is_here:  # else what it publishes to is gone
                if self._reporter.problem("frame", str(error), type(error).__name__):
                    self._reporter.explain(traceback.format_exc())
                self._count_failure(str(error))
            return
        self._reporter.resolved("frame")
        latency = time.monotonic() - result.header.received
        self.statistics.add(result.localization, latency)
        if result.localization.status is Status.FAILED:
            self._count_failure(result.localization.reason)
        else:
            self._failures = 0

    def _count_failure(self, error: str) -> None:
        self._failures += 1
        if self._failures == FAILURES:
            reason = f"{FAILURES} frames in a row failed; the last: {error}"
            self._on_failure(reason)


def make_belief(settings: NodeConfiguration, motion: MotionConfiguration) -> Belief:
    """As the parameters want it; a robot that is localized once is not lost for want of images."""
    return Belief(settings.belief, motion, is_kept=settings.mode == "once")
