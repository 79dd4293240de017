"""Localizes a video: each frame by itself, and where that is unsure with the one before (DSM)."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dense_reloc_ros.geometry import se3
from dense_reloc_ros.geometry.camera import Camera
from dense_reloc_ros.localization import Localization, PoseEstimate, Status
from dense_reloc_ros.pose.verification import verify
from dense_reloc_ros.sparse_to_dense import SparseToDenseLocalizer
from dense_reloc_ros.stopwatch import Stopwatch
from dense_reloc_ros.temporal.confidence import confidence_of
from dense_reloc_ros.temporal.configuration import TemporalConfiguration
from dense_reloc_ros.temporal.correlation import map_share
from dense_reloc_ros.temporal.frames import FusedLocalization, LocalizedFrame
from dense_reloc_ros.temporal.history import History, PreviousFrame
from dense_reloc_ros.temporal.matching import Matches, match_with_previous, tensor_of
from dense_reloc_ros.temporal.tracking import TrackedPose, gain_at, tracked_poses


class TemporalLocalizer:
    """Fuses the frames of one video; for one caller at a time."""

    def __init__(
        self, localizer: SparseToDenseLocalizer, configuration: TemporalConfiguration
    ) -> None:
        self.localizer = localizer
        self.configuration = configuration
        self._history = History()

    def localize(
        self,
        image: NDArray[np.uint8],
        camera: Camera,
        stamp: int,
        T_odom_camera: NDArray[np.float64] | None = None,
    ) -> FusedLocalization:
        """Where `image` (H, W, 3) RGB of `camera` was taken at `stamp`, in nanoseconds.

        Odometry, where there is any, says how the camera moved since the frame before.
        """
        single = self.localizer.localize(image, camera)
        if single.features is None:
            return FusedLocalization(single, 0.0, is_fused=False, is_new=False)
        frame = LocalizedFrame(stamp, camera.pinhole(), single.features, single, T_odom_camera)
        return self.fuse(frame)

    def reset(self) -> None:
        """Forgets all frames."""
        self._history.clear()

    @torch.inference_mode()
    def fuse(self, frame: LocalizedFrame) -> FusedLocalization:
        """What a frame that was localized by itself is with the help of the one before.

        A frame that is not later than the last one begins a new video.
        """
        single = frame.localization
        confidence = self._confidence(single.estimate)
        if not self._history.see(frame):
            return FusedLocalization(single, confidence, is_fused=False, is_new=False)
        fused = None
        previous = self._history.previous(frame.stamp, self.configuration.max_age)
        if previous is not None and confidence < self.configuration.sure:
            fused = self._fuse(frame, previous, map_share(confidence))
        chosen = single if fused is None else fused
        if chosen.is_localized and chosen.estimate is not None:
            estimate = chosen.estimate
            self._history.accept(PreviousFrame(frame, estimate.T_map_camera, estimate.keyframes))
        return FusedLocalization(chosen, confidence, is_fused=fused is not None)

    def _confidence(self, estimate: PoseEstimate | None) -> float:
        calibration = self.localizer.scene_map.information.calibration
        return 0.0 if estimate is None else confidence_of(estimate.score, calibration)

    def _fuse(
        self, frame: LocalizedFrame, previous: PreviousFrame, share: float
    ) -> Localization | None:
        """The frame by fused correlation; None where that is not to be believed, or no better."""
        localizer, stopwatch = self.localizer, Stopwatch(self.localizer.device)
        T_map_camera = self._history.predict(frame.stamp, frame.T_odom_camera)
        predicted = tensor_of(T_map_camera, localizer.device)
        with stopwatch.stage("temporal matching"):
            matches = match_with_previous(localizer, frame, previous, predicted, share)
        if matches is None:
            return None
        with stopwatch.stage("temporal pose"):
            estimate = self._believed_pose(matches, frame, predicted)
        if estimate is None:
            return None
        milliseconds = {**frame.localization.stage_milliseconds, **stopwatch.milliseconds}
        return Localization(Status.LOCALIZED, "", estimate, milliseconds, frame.features)

    def _believed_pose(
        self, matches: Matches, frame: LocalizedFrame, predicted: Tensor
    ) -> PoseEstimate | None:
        """The first tracked pose that is to be believed.

        Its NRE on the map's own maps must be no higher than that of the single frame's pose, so
        that a wrong previous pose cannot hold the fusion captive.
        """
        localizer = self.localizer
        single = frame.localization.estimate
        least_gain = 0.0
        if single is not None:
            T_camera_map = tensor_of(single.T_map_camera, localizer.device)
            least_gain = gain_at(matches.by_map, T_camera_map, localizer.configuration.nre.window)
        for tracked in tracked_poses(matches, predicted, localizer.configuration):
            if tracked.gain < least_gain:
                continue
            estimate = localizer.judge(
                matches.fused,
                tracked.fused,
                matches.point_indices,
                matches.keyframes,
                frame.camera,
            )
            if self._is_believed(estimate, matches, tracked, predicted, frame.camera):
                return estimate
        return None

    def _is_believed(
        self,
        estimate: PoseEstimate,
        matches: Matches,
        tracked: TrackedPose,
        predicted: Tensor,
        camera: Camera,
    ) -> bool:
        """Whether the frame supports the pose, the map alone does to a degree, and it is near.

        The previous frame agrees with any pose that it was wrongly given; the map does not.
        """
        threshold = self.localizer.score_threshold
        by_map = verify(matches.by_map, tracked.by_map, camera.width, camera.height)
        T_map_camera = se3.inverse(se3.checked_rigid(predicted.double().cpu().numpy()))
        step = se3.pose_error(T_map_camera, estimate.T_map_camera)
        return (
            estimate.score >= threshold
            and by_map.score >= self.configuration.least_map_score * threshold
            and step.translation <= self.configuration.largest_step * matches.depth(predicted)
            and step.rotation <= self.configuration.largest_turn
        )
