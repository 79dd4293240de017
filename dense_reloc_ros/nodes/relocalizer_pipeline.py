"""From the camera's topics to published results: what a configured relocalizer consists of."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import replace

from geometry_msgs.msg import PoseWithCovarianceStamped
from rclpy.lifecycle import LifecycleNode

from dense_reloc_ros.configuration import LocalizerConfiguration
from dense_reloc_ros.errors import InputError, RelocError
from dense_reloc_ros.geometry.arrays import FloatArray
from dense_reloc_ros.localization.floor import FloorConstraint
from dense_reloc_ros.localization.localizer import Localizer
from dense_reloc_ros.localization.result import Localization, Status
from dense_reloc_ros.msg import LocalizedFrame, RelocResult
from dense_reloc_ros.nodes.batch_localizer import frames_of, relocalize_batch
from dense_reloc_ros.nodes.camera_input import CameraInput, Frame
from dense_reloc_ros.nodes.feature_messages import LOCALIZED_FRAME_QOS, localized_frame_message
from dense_reloc_ros.nodes.frame_localizer import FrameLocalizer
from dense_reloc_ros.nodes.frame_result import FrameResult
from dense_reloc_ros.nodes.health import (
    image_problem,
    info_problem,
    loss_problem,
    silence_of,
)
from dense_reloc_ros.nodes.initial_pose import InitialPose
from dense_reloc_ros.nodes.map_topics import MapTopics
from dense_reloc_ros.nodes.node_configuration import RelocalizerConfiguration
from dense_reloc_ros.nodes.other_cameras import OtherCameras
from dense_reloc_ros.nodes.pipeline import Pipeline
from dense_reloc_ros.nodes.reporting import ChangeReporter
from dense_reloc_ros.nodes.results import MapIdentity
from dense_reloc_ros.nodes.search import Search
from dense_reloc_ros.nodes.transforms import Transforms
from dense_reloc_ros.srv import ChooseMap, Relocalize, RelocalizeBatch


class RelocalizerPipeline(Pipeline[Frame]):
    """Localizes images and publishes the results; `on_result` is called with each of them."""

    def __init__(
        self,
        node: LifecycleNode,
        localizer: Localizer | None,
        settings: RelocalizerConfiguration,
        transforms: Transforms,
        reporter: ChangeReporter,
        on_failure: Callable[[str], None],
        on_result: Callable[[FrameResult], None],
    ) -> None:
        super().__init__(node, settings, settings.filter, transforms, reporter, on_failure)
        self._on_result = on_result
        image_topic = node.resolve_topic_name("image")
        self.frames = FrameLocalizer(localizer, settings, self._robot, reporter, image_topic)
        taken = "rectified: P" if self.frames.takes_rectified else "raw: K, D and R"
        why = "by the name of the topic" if settings.rectified == "auto" else "as asked for"
        node.get_logger().info(
            f"images on {image_topic} are taken as {taken} of camera_info describe them ({why})"
        )
        self._initial_pose = InitialPose(self._robot, node.get_logger())
        self._localized_frame = node.create_lifecycle_publisher(
            LocalizedFrame, "~/localized_frame", LOCALIZED_FRAME_QOS
        )
        scene_map = None if localizer is None else localizer.scene_map
        self._map_topics = MapTopics(node, scene_map, settings.map_frame)
        self._search = Search(node, self._robot, self._placement)
        self._unneeded = 0
        """Images that waited for their turn until the robot was found."""
        self._camera = CameraInput(
            node,
            settings.image_transport,
            lambda: self.frames.settings.max_rate,
            lambda: self._search.is_on,
            self._worker.submit,
            self._on_time_jump,
            reporter,
        )
        self._others = OtherCameras(
            node,
            [topic for topic in settings.other_cameras if topic],
            settings.image_transport,
            self._camera,
            lambda: self._search.is_on,
            self._worker.submit,
            lambda: self.frames.settings.max_rate,
            reporter,
        )

    def reconfigure(
        self, settings: RelocalizerConfiguration, configuration: LocalizerConfiguration
    ) -> None:
        """Changes parameters between two frames."""
        self.believe_by(settings, settings.filter)
        self.frames.settings = settings
        self.frames.reconfigure(configuration)

    def use(self, localizer: Localizer) -> None:
        """Goes on with another map; what is published of the old one ends."""
        self.frames.use(localizer)
        self._initial_pose.forget()
        super().use(localizer)
        self._map_topics.use(localizer.scene_map)
        self._search.begin(self._newest_stamp)

    def start(self) -> None:
        """Shows the map, and begins to look for the robot in what comes."""
        self._map_topics.publish()
        self._search.begin(self._newest_stamp)
        super().start()

    def close(self) -> None:
        """Stops and takes all publishers and subscriptions away."""
        self.stop()
        self._camera.close()
        self._others.close()
        self._search.close()
        self._map_topics.close()
        self._node.destroy_lifecycle_publisher(self._localized_frame)
        super().close()

    def set_initial_pose(self, pose: PoseWithCovarianceStamped) -> None:
        """Looks for the robot where somebody says it is; what is wrong with that is logged."""
        now = self._node.get_clock().now().nanoseconds
        try:
            self._initial_pose.give(pose, self.frames.identity.frame_id, now)
        except RelocError as error:
            self._node.get_logger().error(f"initial pose refused: {error}")
        else:
            self._search.begin(self._newest_stamp)

    def search_anew(self) -> None:
        """Looks for the robot everywhere, and with `mode: once` until it is found again."""
        self._initial_pose.forget()
        self._search.begin(self._newest_stamp)

    def begin_anew(self, reason: str) -> None:
        """Ends what is believed, and looks for the robot everywhere."""
        super().begin_anew(reason)
        self._search.begin(self._newest_stamp)

    def search_globally(self, reason: str) -> None:
        """Drops what was said of the place of a robot that is lost since."""
        self._initial_pose.forget()

    def _on_time_jump(self) -> None:
        self._transforms.clear()
        self._initial_pose.forget()
        self._search.begin(None)

    @property
    def _newest_stamp(self) -> int | None:
        """Of the images that came, nanoseconds."""
        newest = self._camera.newest
        return None if newest is None else newest.stamp

    def relocalize(self, request: Relocalize.Request) -> RelocResult:
        """Answers a service call: with the image in it, or else the camera's newest."""
        frame = self._frame_of(request)
        if isinstance(frame, str):
            return RelocResult(status=Status.INVALID_INPUT.value, reason=frame)
        prior = request.prior if request.use_prior else None
        others = [] if request.image.data else self._beside(frame)
        return self.frames.localize(frame, prior, others).message

    def _beside(self, frame: Frame) -> list[Frame]:
        """What the other cameras took with a frame."""
        if not len(self._others):
            return []
        return self._others.beside(frame, self.frames.settings.camera_tolerance)

    def _frame_of(self, request: Relocalize.Request) -> Frame | str:
        """What a request is about, or the reason why there is nothing to answer with."""
        image, now = request.image, time.monotonic()
        given = request.camera_info if any(request.camera_info.k) else None
        if image.data or image.width or image.height:
            stamp = self._camera.stamp_of(image)
            info = given or self._camera.pairing.info_for(stamp)
            if info is not None:
                return Frame(image, info, now, stamp)
            missing = self._camera.camera_info_topic
        else:
            newest = self._newest_frame()
            if isinstance(newest, str):
                return newest
            return replace(newest, camera_info=given or newest.camera_info, received=now)
        reason = f"the request has none, and nothing came on {missing} yet"
        return reason

    def _newest_frame(self) -> Frame | str:
        """The camera's newest, or the reason why there is none."""
        newest = self._camera.newest
        if newest is None:
            missing = self._camera.image_topic if not self._camera.received else ""
            missing = missing or self._camera.camera_info_topic
            reason = f"the request has none, and nothing came on {missing} yet"
            return reason
        age, limit = time.monotonic() - newest.received, self.frames.settings.max_age
        if limit and age > limit:
            reason = (
                f"the newest image on {self._camera.image_topic} came {age:.1f} s ago, and "
                f"max_age is {limit:g} s"
            )
            return reason
        return newest

    def frames_for(self, request: ChooseMap.Request) -> list[Frame]:
        """The images to choose a map by: those of a request, or else the camera's last ones.

        Raises:
            InputError: there are none, or none without being too old.
        """
        if request.images or request.compressed_images:
            return frames_of(request, self._camera.pairing.newest)
        newest = self._newest_frame()
        if isinstance(newest, str):
            raise InputError(newest)
        limit = self.frames.settings.max_age or math.inf
        since = time.monotonic() - limit
        return [frame for frame in self._camera.recent.frames if frame.received >= since]

    def odometry_of(self, frame: Frame) -> FloatArray | None:
        """`T_odom_camera` (4, 4) of an image, None where it is not known."""
        return self._robot.camera_in_odometry_by_now(frame.header, is_needed=False)

    def floor_of(self, frame: Frame) -> FloorConstraint | None:
        """What the floor says of an image's pose, None of a robot that may be anywhere."""
        return self._robot.floor_below(frame.header)

    def relocalize_batch(self, request: RelocalizeBatch.Request) -> RelocalizeBatch.Response:
        """Answers a service call with constraints for a SLAM."""
        return relocalize_batch(request, self._camera.pairing.newest, self.frames, self._robot)

    @property
    def identity(self) -> MapIdentity:
        """The map in use."""
        return self.frames.identity

    @property
    def complaint(self) -> str:
        """What keeps frames from coming, empty when nothing does."""
        received = max(self._camera.last_received, self._others.last_received)
        if self.is_silent_since(received):
            return image_problem(self._node, self._camera, self.frames.settings.image_transport)
        if self._camera.received and self._camera.pairing.newest is None:
            return info_problem(self._node, self._camera)
        return ""

    def look_after(self) -> None:
        """As all pipelines, and says where images get lost, which may be meant so."""
        super().look_after()
        self._reporter.lasting("images", loss_problem(self._camera))
        self._reporter.lasting("extrinsics", self.frames.mounting.complaint, "off")
        silent = self._others.silent if self._camera.received else []
        self._reporter.lasting("other cameras", silence_of(silent))

    @property
    def counts(self) -> dict[str, int]:
        """How many images came, and how many of them were not localized."""
        return {
            "images received": self._camera.received,
            "images dropped for newer ones": self._worker.dropped,
            "images skipped": self._camera.skipped,
            "images not needed": self._camera.unneeded + self._unneeded,
            "recent camera_infos without image": self._camera.pairing.lost[0],
        }

    def process(self, item: Frame) -> FrameResult | None:
        """The result of an image; None where the one before it was enough."""
        if not self._search.is_on:
            self._unneeded += 1
            return None
        prior = self._initial_pose.prior_for(item.header, self.frames.identity.frame_id)
        result = self.frames.localize(item, prior, self._beside(item))
        self._initial_pose.follow(result)
        return result

    def publish(self, result: FrameResult) -> None:
        """Says it to everybody, those who share its features last."""
        self._log(result.localization)
        self._output.publish(result)
        self._on_result(result)
        if self._localized_frame.get_subscription_count() > 0:
            self._localized_frame.publish(localized_frame_message(result))

    def _log(self, localization: Localization) -> None:
        if localization.is_localized:
            self._reporter.resolved("localization")
            return
        status, reason = localization.status, localization.reason
        # Reasons of rejection hold numbers that change with every image.
        state = reason if status is Status.INVALID_INPUT else status.name
        if status is not Status.FAILED:  # was said where it happened, with more
            self._reporter.problem("localization", reason, state)
