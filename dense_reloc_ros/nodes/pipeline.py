"""From the camera's topics to published answers: what a configured relocalizer consists of."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable

from rclpy.lifecycle import LifecycleNode
from rclpy.qos import QoSProfile

from dense_reloc_ros.configuration import LocalizerConfiguration
from dense_reloc_ros.localization.localizer import Localizer
from dense_reloc_ros.localization.result import Localization, Status
from dense_reloc_ros.msg import LocalizedFrame, RelocResult
from dense_reloc_ros.nodes.answer import Answer
from dense_reloc_ros.nodes.camera_input import CameraInput, Frame
from dense_reloc_ros.nodes.configuration import RelocalizerConfiguration
from dense_reloc_ros.nodes.feature_messages import answer_to_message
from dense_reloc_ros.nodes.frame_localizer import FrameLocalizer
from dense_reloc_ros.nodes.output import Output
from dense_reloc_ros.nodes.reporting import ChangeReporter
from dense_reloc_ros.nodes.results import MapIdentity
from dense_reloc_ros.nodes.robot_frames import RobotFrames
from dense_reloc_ros.nodes.statistics import Statistics
from dense_reloc_ros.nodes.transforms import open_transforms
from dense_reloc_ros.nodes.worker import NewestItemWorker
from dense_reloc_ros.srv import Relocalize

LOCALIZED_FRAME_QOS = QoSProfile(depth=2)
"""Messages of several MB: who does not keep up misses some."""
SILENCE_SECONDS = 3.0
"""A camera that says nothing for so long is worth a warning."""


class Pipeline:
    """Listens from the start, localizes and publishes what comes between start and stop.

    `on_answer` is called with each answer that was published.
    """

    def __init__(
        self,
        node: LifecycleNode,
        localizer: Localizer | None,
        settings: RelocalizerConfiguration,
        reporter: ChangeReporter,
        on_answer: Callable[[Answer], None],
    ) -> None:
        self.statistics = Statistics()
        self._node = node
        self._reporter = reporter
        self._on_answer = on_answer
        self._transforms = open_transforms(node)
        self._robot = RobotFrames(settings, self._transforms, reporter)
        self.frames = FrameLocalizer(localizer, settings, self._robot)
        self._output = Output(node, self._robot)
        self._localized_frame = node.create_lifecycle_publisher(
            LocalizedFrame, "~/localized_frame", LOCALIZED_FRAME_QOS
        )
        self._worker: NewestItemWorker[Frame] | None = None
        self._started = 0.0
        self._dropped = 0
        self._camera = CameraInput(
            node,
            settings.image_transport,
            lambda: self.frames.settings.max_rate,
            self._take,
            self._transforms.clear,
            reporter,
        )

    def reconfigure(
        self, settings: RelocalizerConfiguration, configuration: LocalizerConfiguration
    ) -> None:
        """Changes parameters between two frames."""
        self._robot.settings = self.frames.settings = settings
        self.frames.reconfigure(configuration)

    def start(self) -> None:
        """Begins to localize images."""
        self._started = time.monotonic()
        self._worker = NewestItemWorker(self._process)

    def stop(self) -> None:
        """Returns when the image in work is done; later ones are left alone."""
        worker, self._worker = self._worker, None
        if worker is not None:
            worker.stop()
            self._dropped += worker.dropped

    def close(self) -> None:
        """Stops and takes all publishers and subscriptions away."""
        self.stop()
        self._camera.close()
        self._output.close()
        self._node.destroy_lifecycle_publisher(self._localized_frame)
        self._transforms.close()

    def relocalize(self, request: Relocalize.Request) -> RelocResult:
        """Answers a service call: with the image in it, or else the camera's newest."""
        newest = self._camera.newest
        image = request.image
        if not image.data and not image.width and not image.height:
            image = None if newest is None else newest.image
        given = any(request.camera_info.k)
        camera_info = request.camera_info if given else self._camera.camera_info
        if image is None or camera_info is None:
            missing = self._camera.image_topic if image is None else self._camera.camera_info_topic
            reason = f"the request has none, and nothing came on {missing} yet"
            return RelocResult(status=Status.INVALID_INPUT.value, reason=reason)
        frame = Frame(image, camera_info, time.monotonic())
        return self.frames.answer(frame, request.prior if request.use_prior else None).result

    @property
    def identity(self) -> MapIdentity:
        """The map in use."""
        return self.frames.identity

    @property
    def complaint(self) -> str:
        """What keeps frames from coming, empty when nothing does."""
        if time.monotonic() - max(self._started, self._camera.last_received) > SILENCE_SECONDS:
            return f"no images on {self._camera.image_topic}"
        if self._camera.received and self._camera.camera_info is None:
            return f"no camera_info on {self._camera.camera_info_topic}"
        return ""

    @property
    def counts(self) -> dict[str, int]:
        """How many images came, and how many of them were not localized."""
        dropped = self._dropped + (0 if self._worker is None else self._worker.dropped)
        return {
            "images received": self._camera.received,
            "images dropped for newer ones": dropped,
            "images skipped": self._camera.skipped,
        }

    def _take(self, frame: Frame) -> None:
        worker = self._worker
        if worker is not None:
            worker.submit(frame)

    def _process(self, frame: Frame) -> None:
        try:
            answer = self.frames.answer(frame)
            self._log(answer.localization)
            self._output.publish(answer)
            self._on_answer(answer)
            if self._localized_frame.get_subscription_count() > 0:
                self._localized_frame.publish(answer_to_message(answer))
            self.statistics.add(answer.localization, time.monotonic() - frame.received)
        except Exception:  # the thread must live on: the next frame may go well
            self._node.get_logger().error(traceback.format_exc())

    def _log(self, localization: Localization) -> None:
        if localization.is_localized:
            self._reporter.resolved("localization")
            return
        status, reason = localization.status, localization.reason
        # Reasons of rejection hold numbers that change with every image.
        state = reason if status is Status.INVALID_INPUT else status.name
        self._reporter.problem("localization", reason, state)
