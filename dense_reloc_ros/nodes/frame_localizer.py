"""From a frame as it came to the answer about it: decoding, localizing, the robot's base."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from threading import Lock

import numpy as np
from geometry_msgs.msg import PoseWithCovarianceStamped
from numpy.typing import NDArray

from dense_reloc_ros.configuration import LocalizerConfiguration
from dense_reloc_ros.errors import InputError, RelocError
from dense_reloc_ros.geometry.camera import Camera
from dense_reloc_ros.geometry.camera_info import camera_from_info
from dense_reloc_ros.geometry.se3 import FloatArray
from dense_reloc_ros.localization import Localization, Status
from dense_reloc_ros.localizer import Localizer
from dense_reloc_ros.msg import RelocResult
from dense_reloc_ros.nodes.camera_input import Frame
from dense_reloc_ros.nodes.configuration import NodeConfiguration
from dense_reloc_ros.nodes.conversions import image_from_message, pose_from_message
from dense_reloc_ros.nodes.reporting import ChangeReporter
from dense_reloc_ros.nodes.results import MapIdentity, result_message
from dense_reloc_ros.nodes.transform_buffer import TransformError
from dense_reloc_ros.nodes.transforms import TransformReader, wait_for_transform

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Answer:
    """What became of a frame."""

    frame: Frame
    localization: Localization
    result: RelocResult
    image: NDArray[np.uint8] | None
    """(H, W, 3) RGB, None where it could not be read."""
    camera: Camera | None
    supporting_points: FloatArray
    """(N, 3) map points that the image agrees with, metres."""


class FrameLocalizer:
    """A localizer with the camera's place on the robot; one frame at a time, whoever asks."""

    def __init__(
        self,
        localizer: Localizer | None,
        settings: NodeConfiguration,
        transforms: TransformReader,
        reporter: ChangeReporter,
    ) -> None:
        self.settings = settings
        self._localizer = localizer
        self._transforms = transforms
        self._reporter = reporter
        self._lock = Lock()

    @property
    def identity(self) -> MapIdentity:
        """The map in use."""
        return self._identify(self._localizer)

    def use(self, localizer: Localizer) -> None:
        """Exchanges the localizer; a frame in work is still answered by the old one."""
        self._localizer = localizer

    def reconfigure(self, configuration: LocalizerConfiguration) -> None:
        """Changes the localizer's parameters between two frames."""
        with self._lock:
            if self._localizer is not None:
                self._localizer.configuration = configuration

    def answer(self, frame: Frame, prior: PoseWithCovarianceStamped | None = None) -> Answer:
        """Localizes a frame; never raises for what is wrong with it, but says so."""
        localizer, image, camera = self._localizer, None, None
        identity = self._identify(localizer)
        try:
            image = image_from_message(frame.image)
            camera = camera_from_info(frame.camera_info)
            camera.check_image(image)
            T_map_camera = None
            if prior is not None:
                T_map_camera = self._camera_prior(frame, prior, identity.frame_id)
            localization = self._localize(localizer, image, camera, T_map_camera)
        except RelocError as error:
            localization = Localization(Status.INVALID_INPUT, str(error))
        T_camera_base = self._base_in_camera(frame) if localization.is_localized else None
        result = result_message(
            frame,
            localization,
            identity,
            self.base_frame(frame),
            T_camera_base,
            time.monotonic() - frame.received,
        )
        points = np.empty((0, 3))
        if localizer is not None and localization.estimate is not None:
            supporting = localization.estimate.supporting_points
            points = localizer.scene_map.points[supporting].cpu().double().numpy()
        return Answer(frame, localization, result, image, camera, points)

    def base_frame(self, frame: Frame) -> str:
        """The frame whose pose is published: the robot's base, or else the camera's own."""
        return self.settings.base_frame or frame.frame_id

    def transform(self, target: str, source: str, frame: Frame) -> FloatArray:
        """`T_target_source` when the frame was taken, waited for at most until its timeout.

        Raises:
            TransformError: it is not known.
        """
        if target == source:
            return np.eye(4)
        waited = time.monotonic() - frame.received
        return wait_for_transform(
            self._transforms,
            target,
            source,
            frame.stamp,
            max(0.0, self.settings.transform_timeout - waited),
        )

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
        T_map_camera: FloatArray | None,
    ) -> Localization:
        if localizer is None:
            return Localization(Status.INVALID_INPUT, "no map is loaded")
        try:
            with self._lock:
                return localizer.localize(image, camera, T_map_camera)
        except Exception as error:  # out of memory, a lost GPU: the next frame may go well
            logger.exception("the localizer failed")
            return Localization(Status.INVALID_INPUT, f"the localizer failed: {error}")

    def _base_in_camera(self, frame: Frame) -> FloatArray | None:
        try:
            T_camera_base = self.transform(frame.frame_id, self.base_frame(frame), frame)
        except TransformError as error:
            self._reporter.problem("pose of the base", str(error), state="unknown")
            return None
        self._reporter.resolved("pose of the base")
        return T_camera_base

    def _camera_prior(
        self, frame: Frame, prior: PoseWithCovarianceStamped, map_frame: str
    ) -> FloatArray:
        """The camera's pose where the base is at a prior pose; raises RelocError."""
        if prior.header.frame_id not in ("", map_frame):
            raise InputError(
                f"the prior pose is given in frame '{prior.header.frame_id}', "
                f"not in that of the map, '{map_frame}'"
            )
        T_base_camera = self.transform(self.base_frame(frame), frame.frame_id, frame)
        return pose_from_message(prior.pose.pose) @ T_base_camera
