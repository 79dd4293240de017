"""Fuses the answers about single frames over time: correlation first, then a filter of poses."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from rclpy.impl.rcutils_logger import RcutilsLogger

from dense_reloc_ros.errors import InputError
from dense_reloc_ros.geometry.se3 import FloatArray
from dense_reloc_ros.localization import Localization
from dense_reloc_ros.localizer import Localizer
from dense_reloc_ros.nodes.answer import Answer
from dense_reloc_ros.nodes.camera_input import JUMP_NANOSECONDS
from dense_reloc_ros.nodes.reporting import ChangeReporter
from dense_reloc_ros.nodes.robot_frames import RobotFrames
from dense_reloc_ros.sparse_to_dense import SparseToDenseLocalizer
from dense_reloc_ros.temporal.configuration import FilterConfiguration, TemporalConfiguration
from dense_reloc_ros.temporal.filter import PoseFilter
from dense_reloc_ros.temporal.filtering import FiltersPoses, filtered
from dense_reloc_ros.temporal.frames import FusedLocalization, LocalizedFrame
from dense_reloc_ros.temporal.localizer import TemporalLocalizer

logger = logging.getLogger(__name__)


class Fusion(Protocol):
    """What `TemporalLocalizer` offers."""

    def fuse(self, frame: LocalizedFrame) -> FusedLocalization:
        """A frame with the help of those before it."""

    def reset(self) -> None:
        """Forgets all frames."""


MakeFusion = Callable[[Localizer | None, TemporalConfiguration], Fusion | None]
MakeFilter = Callable[[FilterConfiguration], FiltersPoses]


def make_fusion(localizer: Localizer | None, configuration: TemporalConfiguration) -> Fusion | None:
    """The fusion for a localizer; None where it has no features to correlate."""
    if not isinstance(localizer, SparseToDenseLocalizer):
        return None
    return TemporalLocalizer(localizer, configuration)


@dataclass(frozen=True)
class FusedAnswer:
    """What the frames together say about the newest one."""

    raw: Localization
    """By the fused correlation."""
    filtered: Localization
    """After the filter: what to publish."""
    is_fused: bool
    """Whether an earlier frame took part in the correlation."""

    @property
    def is_outlier(self) -> bool:
        """Whether the filter did not believe the pose."""
        return self.raw.is_localized and not self.filtered.is_localized


class FrameFuser:
    """Follows one video; forgets it, with a line in the log, where it does not go on.

    One thread fuses; any may call `forget` and `reconfigure`, which count from the next frame on.
    The filter follows the camera: what is rigid with it moves alike, whether TF knows it or not.
    """

    def __init__(
        self,
        configuration: TemporalConfiguration,
        robot: RobotFrames,
        reporter: ChangeReporter,
        log: RcutilsLogger,
        make_fusion: MakeFusion = make_fusion,
        make_filter: MakeFilter = PoseFilter,
    ) -> None:
        self._configuration = self._wanted_configuration = configuration
        self._robot = robot
        self._reporter = reporter
        self._log = log
        self._make_fusion = make_fusion
        self._make_filter = make_filter
        self._filter = make_filter(configuration.filter)
        self._fusion: Fusion | None = None
        self._localizer: Localizer | None = None
        self._revision = ""
        self._newest_stamp: int | None = None
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

    def fuse(self, answer: Answer) -> FusedAnswer | None:
        """The next frame of the video; None for one that is no later than the one before."""
        self._apply_what_was_asked_for()
        if not self._is_next(answer):
            return None
        self._follow_map(answer)
        T_odom_camera = self._camera_in_odometry(answer)
        fused = self._fused(answer, T_odom_camera)
        published = self._filtered(fused, answer.header.stamp, T_odom_camera)
        return FusedAnswer(fused.localization, published, fused.is_fused)

    def _apply_what_was_asked_for(self) -> None:
        if loss := self._loss:
            self._loss = ""
            self._forget(loss)
        if self._wanted_configuration != self._configuration:
            self._configuration = self._wanted_configuration
            self._fusion = self._make_fusion(self._localizer, self._configuration)
            self._filter = self._make_filter(self._configuration.filter)

    def _forget(self, reason: str) -> None:
        if self._newest_stamp is not None:
            self._log.warning(f"{reason}: forgetting earlier frames")
        self._newest_stamp = None
        self._filter.reset()
        if self._fusion is not None:
            self._fusion.reset()

    def _is_next(self, answer: Answer) -> bool:
        stamp, newest = answer.header.stamp, self._newest_stamp
        if newest is not None and stamp <= newest:
            if stamp > newest - JUMP_NANOSECONDS:
                return False  # twice the same, or overtaken by a newer one on its way
            self._forget(f"time jumped back by {(newest - stamp) * 1e-9:.3f} s")
        self._newest_stamp = stamp
        return True

    def _follow_map(self, answer: Answer) -> None:
        """Begins anew where the frame was localized in another map, or by another localizer."""
        localizer, revision = answer.localizer, answer.result.map_revision
        if localizer is self._localizer and revision == self._revision:
            return
        stamp = self._newest_stamp
        if self._revision:
            self._forget(
                "the relocalizer started anew"
                if revision == self._revision
                else f"the relocalizer went from map {self._revision} to {revision or 'none'}"
            )
        self._newest_stamp = stamp
        self._localizer, self._revision = localizer, revision
        self._fusion = self._make_fusion(localizer, self._configuration)

    def _camera_in_odometry(self, answer: Answer) -> FloatArray | None:
        odom_frame = self._robot.settings.odom_frame
        if not odom_frame:
            return None
        header = answer.header
        return self._robot.known_transform(odom_frame, header.frame_id, header, "odometry")

    def _fused(self, answer: Answer, T_odom_camera: FloatArray | None) -> FusedLocalization:
        """The frame with the previous one's correlation; by itself where that is not possible."""
        single = answer.localization
        alone = FusedLocalization(single, 0.0, is_fused=False)
        if self._fusion is None or single.features is None or answer.camera is None:
            return alone
        frame = LocalizedFrame(
            answer.header.stamp, answer.camera.pinhole(), single.features, single, T_odom_camera
        )
        try:
            fused = self._fusion.fuse(frame)
        except Exception as error:  # out of memory, a lost GPU: the next frame may go well
            logger.exception("the fusion failed")
            self._reporter.problem("fusion", f"{error}; frames are localized one by one")
            self._fusion.reset()
            return alone
        self._reporter.resolved("fusion")
        return fused

    def _filtered(
        self, fused: FusedLocalization, stamp: int, T_odom_camera: FloatArray | None
    ) -> Localization:
        try:
            published = filtered(self._filter, fused, stamp, T_odom_camera)
        except InputError as error:
            self._reporter.problem("filter", f"{error}; the pose is published as it is")
            return fused.localization
        self._reporter.resolved("filter")
        return published
