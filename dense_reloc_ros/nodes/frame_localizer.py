"""From a frame as it came to its result: decoding, localizing, the robot's base."""

from __future__ import annotations

import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from threading import Lock

import numpy as np
from geometry_msgs.msg import PoseWithCovarianceStamped
from numpy.typing import NDArray

from dense_reloc_ros.configuration import LocalizerConfiguration
from dense_reloc_ros.errors import RelocError
from dense_reloc_ros.geometry.arrays import FloatArray
from dense_reloc_ros.geometry.base_pose import base_pose
from dense_reloc_ros.geometry.camera import Camera
from dense_reloc_ros.localization.localizer import Localizer, PreparedImage
from dense_reloc_ros.localization.mounting_monitor import MountingMonitor
from dense_reloc_ros.localization.result import Localization, Status
from dense_reloc_ros.localization.rig_images import RigImage
from dense_reloc_ros.localization.rig_localizer import RigLocalizer
from dense_reloc_ros.localization.sparse_to_dense import SparseToDenseLocalizer
from dense_reloc_ros.nodes.camera_input import Frame
from dense_reloc_ros.nodes.conversions import pose_from_message
from dense_reloc_ros.nodes.frame_result import FrameResult
from dense_reloc_ros.nodes.frame_view import FrameView, takes_rectified, view_of
from dense_reloc_ros.nodes.initial_pose import check_map_frame, given_covariance
from dense_reloc_ros.nodes.node_configuration import RelocalizerConfiguration
from dense_reloc_ros.nodes.reporting import ChangeReporter
from dense_reloc_ros.nodes.results import MapIdentity, result_message
from dense_reloc_ros.nodes.robot_frames import FrameHeader, RobotFrames

CameraPrior = tuple[FloatArray, FloatArray | None]
"""`T_map_camera` (4, 4) and its covariance (6, 6), where that is known."""
MAIN_CAMERA = "image"
"""What the camera is called that all are measured from, by the name of its topic."""
BUSY_SECONDS = 10.0
"""For the frame that is in work when another one comes, as ~/relocalize may bring."""


class FrameLocalizer:
    """A localizer on a robot; one frame at a time, whoever asks. `settings` may be exchanged."""

    def __init__(
        self,
        localizer: Localizer | None,
        settings: RelocalizerConfiguration,
        robot: RobotFrames,
        reporter: ChangeReporter,
        image_topic: str = "",
    ) -> None:
        self.settings = settings
        self._image_topic = image_topic
        self._localizer = localizer
        self._configuration: LocalizerConfiguration | None = None
        self._robot = robot
        self._reporter = reporter
        self._lock = Lock()
        self._rig: RigLocalizer | None = None
        self.mounting = MountingMonitor()
        """Watches whether the cameras hang where TF says."""

    @property
    def identity(self) -> MapIdentity:
        """The map in use."""
        return self._identify(self._localizer)

    @property
    def takes_rectified(self) -> bool:
        """Whether images are taken as rectified: by the parameter, or by their topic's name."""
        return takes_rectified(self.settings, self._image_topic)

    def use(self, localizer: Localizer) -> None:
        """Exchanges the localizer; a frame in work is still answered by the old one."""
        self._localizer = localizer

    def reconfigure(self, configuration: LocalizerConfiguration) -> None:
        """Changes the localizer's parameters from the next frame on."""
        self._configuration = configuration

    def localize(
        self,
        frame: Frame,
        prior: PoseWithCovarianceStamped | None = None,
        others: Sequence[Frame] = (),
    ) -> FrameResult:
        """Localizes a frame, together with `others` that other cameras took with it.

        Never raises for what is wrong with it, but says so.
        """
        return self._answer(self._localizer, frame, prior, others)

    def localize_many(self, frames: Sequence[Frame]) -> Iterator[FrameResult]:
        """As `localize` for each, prepared together as many at once as suit the localizer.

        All are localized in one map.
        """
        localizer = self._localizer
        at_once = localizer.images_at_once if localizer else 1
        for first in range(0, len(frames), at_once):
            batch = frames[first : first + at_once]
            prepared = self._prepared(localizer, batch)
            for frame, given in zip(batch, prepared, strict=True):
                yield self._answer(localizer, frame, given=given)

    def _answer(
        self,
        localizer: Localizer | None,
        frame: Frame,
        prior: PoseWithCovarianceStamped | None = None,
        others: Sequence[Frame] = (),
        given: tuple[FrameView, PreparedImage] | None = None,
    ) -> FrameResult:
        """What `localize` says of a frame, whose image may have been prepared already."""
        image, camera, prepared, header = None, None, None, frame.header
        identity, camera_info = self._identify(localizer), frame.camera_info
        try:
            if given is None:
                image, camera, camera_info = view_of(frame, rectified=self.takes_rectified)
            else:
                (image, camera, camera_info), prepared = given
            camera_prior = None
            if prior is not None:
                camera_prior = self._camera_prior(header, prior, identity.frame_id)
            beside = self._mounted(others, header)
            up = self._robot.up_in_camera(header)
            localization = self._localize(
                localizer, image, camera, camera_prior, up, beside, prepared
            )
            localization = self._robot.on_floor(localization, header)
        except RelocError as error:
            localization = Localization(Status.INVALID_INPUT, str(error))
        except Exception as error:  # out of memory, a lost GPU: the next frame may go well
            if self._reporter.problem("localizer", f"failed: {error}", type(error).__name__):
                self._reporter.explain(traceback.format_exc())
            localization = Localization(Status.FAILED, f"the localizer failed: {error}")
        message = result_message(header, localization, identity, self._robot)
        return FrameResult(header, camera_info, localization, message, localizer, camera, image)

    def _prepared(
        self, localizer: Localizer | None, frames: Sequence[Frame]
    ) -> Sequence[tuple[FrameView, PreparedImage] | None]:
        """Frames' images; none if anything is wrong, of which each tells when it is localized."""
        if localizer is None or len(frames) == 1:
            return [None] * len(frames)
        try:
            views = [view_of(frame, rectified=self.takes_rectified) for frame in frames]
            with self._in_use(localizer) as is_free:
                if is_free:
                    images = [(image, camera) for image, camera, _ in views]
                    ups = [self._robot.up_in_camera(frame.header) for frame in frames]
                    return list(zip(views, localizer.prepared_together(images, ups), strict=True))
        except RelocError:
            pass  # the image that is wrong says so itself
        except Exception as error:  # out of memory: there may be enough for one
            self._reporter.problem("batch", f"images are localized one by one: {error!r}")
        return [None] * len(frames)

    def _identify(self, localizer: Localizer | None) -> MapIdentity:
        """The map of a localizer; without revision where there is none."""
        if localizer is None:
            return MapIdentity(self.settings.map_frame or "map", "", self.settings.method)
        information = localizer.scene_map.information
        frame = self.settings.map_frame or information.frame_id
        return MapIdentity(frame, information.revision, localizer.method)

    def _localize(
        self,
        localizer: Localizer | None,
        image: NDArray[np.uint8],
        camera: Camera,
        prior: CameraPrior | None,
        up_in_camera: FloatArray | None,
        beside: Sequence[RigImage],
        prepared: PreparedImage | None,
    ) -> Localization:
        if localizer is None:
            return Localization(Status.INVALID_INPUT, "no map is loaded")
        with self._in_use(localizer) as is_free:
            if not is_free:
                reason = f"the localizer is busy with one frame for more than {BUSY_SECONDS:.0f} s"
                return Localization(Status.FAILED, reason)
            rig = self._rig_of(localizer) if beside else None
            if rig is not None:
                main = RigImage(image, camera, np.eye(4), MAIN_CAMERA, up_in_camera=up_in_camera)
                localization = rig.localize([main, *beside], *(prior or ()))
                if localization.is_localized and localization.estimate is not None:
                    self.mounting.add(localization.estimate.mounting_errors)
            elif prepared is not None:
                localization = localizer.localized(prepared)
            else:
                T_map_camera, covariance = prior or (None, None)
                localization = localizer.localize(
                    image, camera, T_map_camera, covariance, up_in_camera
                )
        self._reporter.resolved("localizer")
        return localization

    @contextmanager
    def _in_use(self, localizer: Localizer) -> Iterator[bool]:
        """Holds a localizer with the newest parameters; whether it was free in time."""
        if not self._lock.acquire(timeout=BUSY_SECONDS):
            yield False
            return
        try:
            if self._configuration is not None:
                localizer.configuration = self._configuration
            localizer.max_frame_seconds = self.settings.max_frame_seconds or None
            yield True
        finally:
            self._lock.release()

    def _rig_of(self, localizer: Localizer) -> RigLocalizer | None:
        """What localizes several images with a localizer; None where its method takes only one."""
        if not isinstance(localizer, SparseToDenseLocalizer):
            self._reporter.problem(
                "method",
                f"method {localizer.method} localizes single images: other_cameras are not used",
                "unused",
            )
            return None
        if self._rig is None or self._rig.localizer is not localizer:
            self._rig = RigLocalizer(localizer)
            self.mounting.clear()
        return self._rig

    def _mounted(self, others: Sequence[Frame], header: FrameHeader) -> list[RigImage]:
        """The images of other cameras that can be used; what is wrong with one is reported."""
        found = []
        for frame in others:
            name = frame.header.frame_id
            T_camera_other = self._robot.camera_in_camera(frame.header, header)
            if T_camera_other is None:
                continue
            try:
                image, camera, _ = view_of(frame, rectified=self.takes_rectified)
            except RelocError as error:
                self._reporter.problem(f"camera {name}", str(error), "unusable")
                continue
            self._reporter.resolved(f"camera {name}")
            up = self._robot.up_in_camera(frame.header)
            found.append(RigImage(image, camera, T_camera_other, name, up_in_camera=up))
        return found

    def _camera_prior(
        self, header: FrameHeader, prior: PoseWithCovarianceStamped, map_frame: str
    ) -> CameraPrior:
        """The camera's pose where the base is at a prior pose; raises RelocError."""
        check_map_frame(prior, map_frame)
        T_base_camera = self._robot.transform(
            self._robot.base_frame(header), header.frame_id, header
        )
        T_map_base, covariance = pose_from_message(prior.pose.pose), given_covariance(prior)
        if covariance is None:
            return T_map_base @ T_base_camera, None
        return base_pose(T_map_base, covariance, T_base_camera)
