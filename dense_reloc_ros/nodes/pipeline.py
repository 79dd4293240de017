"""What the pipelines of both nodes have in common: from what comes in to what is published."""

from __future__ import annotations

import time
import traceback
from abc import ABC, abstractmethod
from typing import Generic, TypeVar

from rclpy.lifecycle import LifecycleNode

from dense_reloc_ros.nodes.frame_result import FrameResult
from dense_reloc_ros.nodes.health import tf_problem
from dense_reloc_ros.nodes.node_configuration import NodeConfiguration
from dense_reloc_ros.nodes.output import Output
from dense_reloc_ros.nodes.reporting import ChangeReporter
from dense_reloc_ros.nodes.results import MapIdentity
from dense_reloc_ros.nodes.robot_frames import BASE, ODOMETRY, RobotFrames
from dense_reloc_ros.nodes.statistics import Statistics
from dense_reloc_ros.nodes.transforms import open_transforms
from dense_reloc_ros.nodes.worker import NewestItemWorker

SILENCE_SECONDS = 3.0
"""An input that says nothing for so long is worth a warning."""
Item = TypeVar("Item")


class Pipeline(ABC, Generic[Item]):
    """What a configured node consists of: it listens from the start, and works on the newest item
    that came between `start` and `stop`.
    """

    def __init__(
        self, node: LifecycleNode, settings: NodeConfiguration, reporter: ChangeReporter
    ) -> None:
        self.statistics = Statistics()
        self._node = node
        self._reporter = reporter
        self._transforms = open_transforms(node)
        self._robot = RobotFrames(settings, self._transforms, reporter)
        self._output = Output(node, self._robot)
        self._worker: NewestItemWorker[Item] = NewestItemWorker(self._work_on)
        self._started = 0.0

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
            "transforms published": self._output.transform.published,
        }

    @property
    def output_problem(self) -> str:
        """What keeps poses or the transform from leaving the node, empty when nothing does."""
        settings = self._robot.settings
        if (settings.base_frame or settings.odom_frame) and (problem := tf_problem(self._node)):
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

    @abstractmethod
    def process(self, item: Item) -> FrameResult | None:
        """Publishes what is found out about an item; None where it is left out."""

    def start(self) -> None:
        """Begins to work on what comes."""
        self._started = time.monotonic()
        self._worker.start()

    def stop(self) -> None:
        """Returns when the item in work is done; later ones are left alone."""
        self._worker.stop()

    def close(self) -> None:
        """Stops and takes all publishers and subscriptions away."""
        self.stop()
        self._output.close()
        self._transforms.close()

    def is_silent_since(self, last_received: float) -> bool:
        """Whether it is long that something came (monotonic clock), or could have come."""
        return time.monotonic() - max(self._started, last_received) > SILENCE_SECONDS

    def _work_on(self, item: Item) -> None:
        try:
            result = self.process(item)
        except Exception:  # the thread must live on: the next frame may go well
            self._node.get_logger().error(traceback.format_exc())
            return
        if result is not None:
            latency = time.monotonic() - result.header.received
            self.statistics.add(result.localization, latency)
