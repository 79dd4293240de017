"""Localizes a frame by the map's and the previous frame's correlation, near a predicted pose."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from torch import Tensor

from dense_reloc_ros.geometry.arrays import FloatArray
from dense_reloc_ros.geometry.camera import Camera
from dense_reloc_ros.geometry.se3 import pose_error
from dense_reloc_ros.localization.decision import reason_to_doubt
from dense_reloc_ros.localization.result import Localization, PoseEstimate, Status
from dense_reloc_ros.localization.sparse_to_dense import SparseToDenseLocalizer
from dense_reloc_ros.pose.verification import verify
from dense_reloc_ros.stopwatch import Stopwatch
from dense_reloc_ros.temporal.fused_confidence import confidence_after
from dense_reloc_ros.temporal.fused_frames import AcceptedFrame, LocalizedFrame
from dense_reloc_ros.temporal.fused_matching import Matches, match_with_previous, tensor_of
from dense_reloc_ros.temporal.fusion_configuration import TemporalConfiguration
from dense_reloc_ros.temporal.tracking import TrackedPose, gain_at, tracked_poses


def is_near(
    estimate: PoseEstimate,
    T_map_camera: FloatArray,
    depth: float,
    configuration: TemporalConfiguration,
) -> bool:
    """Whether a pose is as near to a predicted one (4, 4) as a camera can be, things being `depth`
    away."""
    off = pose_error(T_map_camera, estimate.T_map_camera)
    return (
        off.translation <= configuration.largest_step * depth
        and off.rotation <= configuration.largest_turn
    )


class CorrelationFusion:
    """DSM 3.3.1 for sparse-to-dense methods; knows nothing of a frame but what it is told."""

    def __init__(
        self, localizer: SparseToDenseLocalizer, configuration: TemporalConfiguration
    ) -> None:
        self._localizer = localizer
        self._configuration = configuration

    def localize(
        self,
        frame: LocalizedFrame,
        earlier: Sequence[AcceptedFrame],
        T_map_camera: FloatArray,
        share: float,
    ) -> Localization | None:
        """The frame's pose near a predicted one; None where there is none that is as good.

        It is decided about as the pose of a single frame is, by a confidence that counts the frame
        before as well. It is the single frame's pose where that has a lower NRE on the map's own
        maps, so that a wrong previous pose cannot hold the fusion captive.

        Args:
            frame: with features, and what was found out about it alone.
            earlier: those before, the newest first.
            T_map_camera: (4, 4) that is predicted.
            share: α, that of the map's correlation.
        """
        localizer = self._localizer
        stopwatch = Stopwatch(localizer.device)
        predicted = tensor_of(T_map_camera)
        with stopwatch.stage("temporal matching"):
            matches = match_with_previous(localizer, frame, earlier, predicted, share)
        if matches is None:
            return None
        with stopwatch.stage("temporal pose"):
            found = self._tracked(frame, matches, predicted, T_map_camera)
        if found is None:
            return None
        estimate, image_confidence = found
        confidence = confidence_after(earlier[0].estimate.confidence or 0.0, image_confidence)
        estimate = replace(estimate, confidence=confidence)
        reason = reason_to_doubt(
            estimate, localizer.configuration.verification, localizer.score_threshold
        )
        return Localization(
            Status.REJECTED if reason else Status.LOCALIZED,
            reason,
            estimate,
            {**frame.localization.stage_milliseconds, **stopwatch.milliseconds},
            frame.features,
            frame.localization.view,
        )

    def _tracked(
        self,
        frame: LocalizedFrame,
        matches: Matches,
        predicted: Tensor,
        T_map_camera: FloatArray,
    ) -> tuple[PoseEstimate, float] | None:
        """The best pose near a predicted one, and its confidence by the map and the image alone.

        The single frame's own pose where no other is better.
        """
        single = frame.localization.estimate
        least_gain, depth = self._gain_of(single, matches), matches.depth(predicted)
        for tracked in tracked_poses(matches, predicted, self._localizer.configuration):
            if tracked.gain < least_gain:
                continue
            estimate = self._estimate(tracked, matches, frame.camera)
            if is_near(estimate, T_map_camera, depth, self._configuration) and self._is_supported(
                estimate, tracked, matches, frame.camera
            ):
                return estimate, self._confidence_by_map(tracked, matches, frame.camera)
        if single is None or not is_near(single, T_map_camera, depth, self._configuration):
            return None
        return single, single.confidence or 0.0

    def _gain_of(self, single: PoseEstimate | None, matches: Matches) -> float:
        """That of the single frame's pose on the map's own maps."""
        if single is None:
            return 0.0
        T_camera_map: Tensor = tensor_of(single.T_map_camera)
        return gain_at(matches.by_map, T_camera_map, self._localizer.configuration.nre.window)

    def _estimate(self, tracked: TrackedPose, matches: Matches, camera: Camera) -> PoseEstimate:
        return self._localizer.verified(
            matches.fused, tracked.fused, matches.point_indices, matches.keyframes, camera
        )

    def _confidence_by_map(self, tracked: TrackedPose, matches: Matches, camera: Camera) -> float:
        """By the correlation with the map alone: the frame before counts once, not twice."""
        estimate = self._localizer.verified(
            matches.by_map, tracked.by_map, matches.point_indices, matches.keyframes, camera
        )
        return self._localizer.judged(estimate).confidence or 0.0

    def _is_supported(
        self, estimate: PoseEstimate, tracked: TrackedPose, matches: Matches, camera: Camera
    ) -> bool:
        """Whether both correlations support a pose, and the map's alone to a degree.

        The previous frame agrees with any pose that it was wrongly given; the map does not.
        """
        threshold = self._localizer.score_threshold
        by_map = verify(matches.by_map, tracked.by_map, [(camera.width, camera.height)])
        least = self._configuration.least_map_score * threshold
        return estimate.score >= threshold and by_map.score >= least
