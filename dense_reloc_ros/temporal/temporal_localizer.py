"""Localizes a video: each frame by itself, and where that is unsure with the one before (DSM)."""

from __future__ import annotations

import logging
from dataclasses import replace

import torch

from dense_reloc_ros.errors import InputError
from dense_reloc_ros.geometry.arrays import RgbImage
from dense_reloc_ros.geometry.camera import Camera
from dense_reloc_ros.geometry.se3 import inverse
from dense_reloc_ros.geometry.trajectory import Trajectory
from dense_reloc_ros.localization.decision import confidence_of_score
from dense_reloc_ros.localization.localizer import Localizer
from dense_reloc_ros.localization.result import Localization, PoseEstimate, Status
from dense_reloc_ros.localization.rig_images import SeenImage
from dense_reloc_ros.localization.rig_localizer import RigLocalizer
from dense_reloc_ros.localization.sparse_to_dense import SparseToDenseLocalizer
from dense_reloc_ros.retrieval.distinct_views import median_depth
from dense_reloc_ros.retrieval.places import rank_keyframes
from dense_reloc_ros.stopwatch import Stopwatch
from dense_reloc_ros.temporal.fused_frames import (
    AcceptedFrame,
    FusedLocalization,
    LocalizedFrame,
    moved,
)
from dense_reloc_ros.temporal.fusion import CorrelationFusion, is_near
from dense_reloc_ros.temporal.fusion_configuration import TemporalConfiguration
from dense_reloc_ros.temporal.history import History
from dense_reloc_ros.temporal.mixed_correlation import map_share
from dense_reloc_ros.temporal.pose_filter import FilteredPose, PoseFilter
from dense_reloc_ros.temporal.recent_images import RecentImages
from dense_reloc_ros.temporal.usual_gain import UsualGain

logger = logging.getLogger(__name__)

UNLIKELY = "the pose does not fit those before it"


class TemporalLocalizer:
    """Fuses the frames of one video; for one caller at a time.

    Of localizers without dense features the poses are filtered, and that is all.
    """

    def __init__(
        self,
        localizer: Localizer,
        configuration: TemporalConfiguration,
        odometry: Trajectory | None = None,
    ) -> None:
        """`odometry` is T_odom_camera as recorded with the video that `localize` is given."""
        self.localizer = localizer
        self.configuration = configuration
        self._odometry = odometry
        self._history: History[AcceptedFrame] = History(configuration.earlier_frames)
        self._filter = PoseFilter(configuration.filter)
        self._fusion: CorrelationFusion | None = None
        self._rig: RigLocalizer | None = None
        self._recent = RecentImages(configuration)
        self._usual_gain = UsualGain()
        if isinstance(localizer, SparseToDenseLocalizer):
            self._fusion = CorrelationFusion(localizer, configuration)
            self._rig = RigLocalizer(localizer)

    def localize(self, image: RgbImage, camera: Camera, stamp: int) -> Localization:
        """Where `image` (H, W, 3) RGB of `camera` was taken at `stamp`, in nanoseconds."""
        return self.localize_and_fuse(image, camera, stamp).localization

    def localize_and_fuse(self, image: RgbImage, camera: Camera, stamp: int) -> FusedLocalization:
        """As `localize`, with all that is known about the frame."""
        single = self.localizer.localize(image, camera)
        T_odom_camera = self._odometry.between(stamp) if self._odometry else None
        return self.fuse(
            LocalizedFrame(stamp, camera.pinhole(), single.features, single, T_odom_camera)
        )

    def reset(self) -> None:
        """Forgets all frames."""
        self._history.clear()
        self._filter.reset()
        self._recent.clear()
        self._usual_gain.clear()

    @torch.inference_mode()
    def fuse(self, frame: LocalizedFrame) -> FusedLocalization:
        """What a frame that was localized by itself is with the help of the one before.

        A frame that is not later than the last one begins a new video; so does one with a pose or
        odometry that the filter cannot take, and it is published as it is.
        """
        origin = self.localizer.scene_map.origin
        floor = None if frame.floor is None else frame.floor.shifted(-origin)
        local = replace(frame, localization=frame.localization.shifted(-origin), floor=floor)
        fused = self._fuse(local)
        return replace(
            fused,
            localization=fused.localization.shifted(origin),
            raw=fused.raw.shifted(origin),
        )

    def _fuse(self, frame: LocalizedFrame) -> FusedLocalization:
        """As `fuse`, with all poses counted from the map's `origin`."""
        single = frame.localization
        confidence = self._confidence(single.estimate)
        if not self._history.goes_on(frame.stamp):
            self.reset()
        is_new = self._history.see(frame.stamp, frame.features)
        try:
            predicted = self._filter.predict(frame.stamp, frame.T_odom_camera)
            if not is_new:
                published = _on_floor(frame, self._moved(single, predicted))
                return FusedLocalization(published, single, confidence, False, is_new)
            doubt = self._usual_gain.doubt(frame.stamp, single.estimate)
            fused = self._correlated(frame, predicted, confidence)
            together = self._together(frame, fused or single, predicted)
            known = confidence
            if together is not None:
                # Its covariance is by all images, of which the last tells least.
                known, doubt = self._confidence(together.estimate), 1.0
            fused = together or fused
            raw = _on_floor(frame, fused or single)
            published = _on_floor(frame, self._filtered(frame, raw, predicted, known, doubt))
        except InputError as error:
            logger.warning("%s; the frame is taken by itself", error)
            self.reset()
            return FusedLocalization(single, single, confidence, is_fused=False)
        if published.is_localized and published.estimate is not None and frame.features is not None:
            seen = moved(published.estimate, frame.view.T_camera_view)
            accepted = AcceptedFrame(frame.view.camera, frame.features, seen)
            self._history.accept(frame.stamp, accepted)
        return FusedLocalization(published, raw, confidence, is_fused=fused is not None)

    def _correlated(
        self, frame: LocalizedFrame, predicted: FilteredPose | None, confidence: float
    ) -> Localization | None:
        """The frame by fused correlation, where that is possible and helps."""
        earlier = self._history.earlier(frame.stamp, self.configuration.max_age)
        if self._fusion is None or not earlier or predicted is None:
            return None
        single = frame.localization
        if frame.features is None or (
            single.is_localized and confidence >= self.configuration.sure
        ):
            return None
        share, T_camera_view = map_share(confidence), frame.view.T_camera_view
        T_map_view = predicted.T_map_body @ T_camera_view
        fused = self._fusion.localize(frame.in_view(), earlier, T_map_view, share)
        if fused is None or fused.estimate is None:
            return None
        if single.is_localized and not fused.is_localized:
            return None
        return replace(fused, estimate=moved(fused.estimate, inverse(T_camera_view)))

    def _together(
        self, frame: LocalizedFrame, found: Localization, predicted: FilteredPose | None
    ) -> Localization | None:
        """The frame by its image and the last ones, where it is not found otherwise."""
        here = self._recent.reach(frame.stamp, frame.T_odom_camera)
        if self._rig is None or frame.features is None or here is None:
            return None
        stopwatch = Stopwatch(self.localizer.device)
        with stopwatch.stage("images together"):
            view, options = frame.view, self.localizer.configuration.retrieval
            ranked = rank_keyframes(frame.features, self.localizer.scene_map, options)
            image = SeenImage(view.camera, view.T_camera_view, frame.features, ranked)
            before = self._recent.seen_from(here)
            self._recent.add(image, here)
            if found.is_localized or not before:
                return None
            T_map_camera = None if predicted is None else predicted.T_map_body
            together = self._rig.localize_seen([image, *before], T_map_camera)
        if not together.is_localized:
            return None
        milliseconds = {**found.stage_milliseconds, **stopwatch.milliseconds}
        return replace(
            together, stage_milliseconds=milliseconds, features=frame.features, view=found.view
        )

    def _filtered(
        self,
        frame: LocalizedFrame,
        raw: Localization,
        predicted: FilteredPose | None,
        confidence: float,
        doubt: float,
    ) -> Localization:
        """The frame as the filter has it; rejected where it neither fits nor is sure.

        The covariance of an image that shows less than usual is larger by `doubt`. One that does
        not fit even so, but lies as near as a camera can come, is not as exact as it says; without
        odometry the prediction may rather be wrong where the image is as sharp as ever. A sure one
        that lies elsewhere is published where there is no odometry that contradicts it: the camera
        may have been carried away, or the poses before were wrong. Others wait until the filter
        believes them. Unsure ones have to fit only as long as a frame helps later ones.
        """
        estimate = raw.estimate
        if not raw.is_localized or estimate is None:
            return raw
        has_odometry = frame.T_odom_camera is not None
        is_sure = confidence >= self.configuration.sure
        is_recent = self._history.previous(frame.stamp, self.configuration.max_age) is not None
        fits = predicted is not None and self._is_near(estimate, predicted)
        if not is_sure and is_recent and predicted is not None and not fits:
            return replace(raw, status=Status.REJECTED, reason=UNLIKELY)
        pose = self._filter.update(
            frame.stamp,
            estimate.T_map_camera,
            doubt * estimate.covariance,
            frame.T_odom_camera,
            fits and (has_odometry or (is_recent and doubt > 1)),
        )
        if not pose.is_outlier:
            return self._moved(raw, pose)
        is_believed = is_sure and not has_odometry
        return raw if is_believed else replace(raw, status=Status.REJECTED, reason=UNLIKELY)

    def _is_near(self, estimate: PoseEstimate, predicted: FilteredPose) -> bool:
        """Whether a camera can have come to a pose from where it is predicted to be."""
        depth = estimate.depth or 0.0
        if not depth and estimate.keyframes:
            depth = float(median_depth(self.localizer.scene_map, estimate.keyframes[0]))
        return is_near(estimate, predicted.T_map_body, depth, self.configuration)

    def _moved(self, localization: Localization, pose: FilteredPose | None) -> Localization:
        """A localization at the pose of the filter, where it has one."""
        if pose is None or not localization.is_localized or localization.estimate is None:
            return localization
        estimate = replace(
            localization.estimate, T_map_camera=pose.T_map_body, covariance=pose.covariance
        )
        return replace(localization, estimate=estimate)

    def _confidence(self, estimate: PoseEstimate | None) -> float:
        if estimate is None:
            return 0.0
        known = estimate.confidence
        return confidence_of_score(estimate.score) if known is None else known


def _on_floor(frame: LocalizedFrame, localization: Localization) -> Localization:
    """As the floor constrains it: measured, and also filtered, since odometry may tilt."""
    return localization if frame.floor is None else frame.floor.apply(localization)
