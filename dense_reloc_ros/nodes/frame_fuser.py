"""Fuses the results of single frames over time, and begins anew where a video does not go on."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Protocol

from rclpy.impl.rcutils_logger import RcutilsLogger

from dense_reloc_ros.localization.localizer import Localizer
from dense_reloc_ros.nodes.frame_result import FrameResult
from dense_reloc_ros.nodes.reporting import ChangeReporter
from dense_reloc_ros.nodes.robot_frames import RobotFrames
from dense_reloc_ros.stamps import JUMP_NANOSECONDS
from dense_reloc_ros.temporal.fused_frames import FusedLocalization, LocalizedFrame
from dense_reloc_ros.temporal.fusion_configuration import TemporalConfiguration
from dense_reloc_ros.temporal.temporal_localizer import TemporalLocalizer

logger = logging.getLogger(__name__)


class Fusion(Protocol):
    """What `TemporalLocalizer` offers."""

    def fuse(self, frame: LocalizedFrame) -> FusedLocalization:
        """A frame with the help of those before it."""

    def reset(self) -> None:
        """Forgets all frames."""


MakeFusion = Callable[[Localizer, TemporalConfiguration], Fusion]


class FrameFuser:
    """Follows one video; forgets it, with a line in the log, where it does not go on.

    One thread fuses; any may call `forget` and `reconfigure`, which count from the next frame on.
    What is followed is the camera: the base moves with it, whether TF knows it or not.
    """

    def __init__(
        self,
        configuration: TemporalConfiguration,
        robot: RobotFrames,
        reporter: ChangeReporter,
        log: RcutilsLogger,
        make_fusion: MakeFusion = TemporalLocalizer,
    ) -> None:
        self._configuration = self._wanted_configuration = configuration
        self._robot = robot
        self._reporter = reporter
        self._log = log
        self._make_fusion = make_fusion
        self._fusion: Fusion | None = None
        self._localizer: Localizer | None = None
        self._revision = ""
        self._newest_stamp: int | None = None
        self._camera_frame = ""
        self._loss = ""

    def reconfigure(self, configuration: TemporalConfiguration) -> None:
        """Begins anew with other parameters, if they are others."""
        self._wanted_configuration = configuration

    def forget(self, reason: str) -> None:
        """Begins anew."""
        self._loss = reason

    @property
    def is_lost(self) -> bool:
        """Whether the next frame will begin anew."""
        return bool(self._loss)

    def fuse(self, single: FrameResult) -> FusedLocalization | None:
        """The next frame of the video; None for one that is no later than the one before."""
        self._apply_what_was_asked_for()
        if not self._is_next(single):
            return None
        self._follow_camera(single)
        self._follow_map(single)
        localization = self._robot.on_floor(single.localization, single.header)
        as_it_is = FusedLocalization(localization, localization, 0.0, is_fused=False)
        if self._fusion is None or single.camera is None:
            return as_it_is
        frame = LocalizedFrame(
            single.header.stamp,
            single.camera.pinhole(),
            localization.features,
            localization,
            self._robot.camera_in_odometry(single.header),
            self._robot.floor_below(single.header),
        )
        try:
            fused = self._fusion.fuse(frame)
        except Exception as error:  # out of memory, a lost GPU: the next frame may go well
            logger.exception("the fusion failed")
            self._reporter.problem("fusion", f"{error}; frames are localized one by one")
            self._fusion.reset()
            return as_it_is
        self._reporter.resolved("fusion")
        return fused

    def _apply_what_was_asked_for(self) -> None:
        if loss := self._loss:
            self._loss = ""
            self._forget(loss)
        if self._wanted_configuration != self._configuration:
            self._configuration = self._wanted_configuration
            self._fusion = self._fusion_of(self._localizer)

    def _forget(self, reason: str) -> None:
        if self._newest_stamp is not None:
            self._log.warning(f"{reason}: forgetting earlier frames")
        self._newest_stamp = None
        if self._fusion is not None:
            self._fusion.reset()

    def _is_next(self, single: FrameResult) -> bool:
        stamp, newest = single.header.stamp, self._newest_stamp
        if newest is not None and stamp <= newest:
            if stamp > newest - JUMP_NANOSECONDS:
                return False  # twice the same, or overtaken by a newer one on its way
            self._forget(f"time jumped back by {(newest - stamp) * 1e-9:.3f} s")
        self._newest_stamp = stamp
        return True

    def _follow_camera(self, single: FrameResult) -> None:
        """Begins anew where another camera stands in for the one that was followed."""
        stamp, frame_id = self._newest_stamp, single.header.frame_id
        if self._camera_frame not in ("", frame_id):
            self._forget(f"images come from another camera, {frame_id}")
        self._newest_stamp, self._camera_frame = stamp, frame_id

    def _follow_map(self, single: FrameResult) -> None:
        """Begins anew where the frame was localized in another map, or by another localizer."""
        localizer, revision = single.localizer, single.message.map_revision
        if localizer is self._localizer and revision == self._revision:
            return
        stamp = self._newest_stamp
        if self._revision:
            self._forget(
                f"map {revision} was opened anew"
                if revision == self._revision
                else f"the relocalizer went from map {self._revision} to {revision or 'none'}"
            )
        self._newest_stamp = stamp
        self._localizer, self._revision = localizer, revision
        self._fusion = self._fusion_of(localizer)

    def _fusion_of(self, localizer: Localizer | None) -> Fusion | None:
        return None if localizer is None else self._make_fusion(localizer, self._configuration)
