"""Which frames belong to a video, with which odometry, and when another one begins."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from gallery import CAMERA
from temporal.slow_turn import BLACK, PERIOD, alone, frame_of, is_right, pose

from dense_reloc_ros.geometry.se3 import rigid
from dense_reloc_ros.geometry.trajectory import Trajectory
from dense_reloc_ros.images.light_levels import LEVELS, degrade
from dense_reloc_ros.localization.result import Localization, Status
from dense_reloc_ros.temporal.fused_frames import FusedLocalization, LocalizedFrame
from dense_reloc_ros.temporal.fusion_configuration import TemporalConfiguration
from dense_reloc_ros.temporal.temporal_localizer import TemporalLocalizer

PUBLISHED = Localization(Status.REJECTED, "the pose does not fit those before it")


def note_frames(temporal: TemporalLocalizer, monkeypatch) -> list[LocalizedFrame]:
    """The frames that are to be fused from now on, of which nothing becomes but `PUBLISHED`."""
    given: list[LocalizedFrame] = []

    def fuse(frame: LocalizedFrame) -> FusedLocalization:
        given.append(frame)
        return FusedLocalization(PUBLISHED, frame.localization, confidence=0.5, is_fused=True)

    monkeypatch.setattr(temporal, "fuse", fuse)
    return given


def test_localizing_is_fusing_what_a_single_frame_says(gallery, localizer):
    one, other = (TemporalLocalizer(localizer, TemporalConfiguration()) for _ in range(2))
    for number in range(2):
        image = gallery.render(pose(number)).image
        if number:
            image = degrade(image, LEVELS["harsh"], number)
        said = one.localize_and_fuse(image, CAMERA, number * PERIOD)
        fused = other.fuse(frame_of(localizer, image, number))
        assert said.is_fused == fused.is_fused
        assert said.confidence == fused.confidence
        assert said.localization.status == fused.localization.status


def test_each_frame_comes_with_the_odometry_of_its_time(localizer, monkeypatch):
    poses = [rigid(np.eye(3), np.array([x, 0.0, 0.0])) for x in (1.0, 3.0)]
    odometry = Trajectory.from_poses([0, 200], poses)
    temporal = TemporalLocalizer(localizer, TemporalConfiguration(), odometry)
    given = note_frames(temporal, monkeypatch)
    answers = [temporal.localize(BLACK, CAMERA, stamp) for stamp in (0, 50, 200)]
    assert [frame.stamp for frame in given] == [0, 50, 200]
    assert [frame.T_odom_camera[0, 3] for frame in given] == pytest.approx([1, 1.5, 3])
    assert answers == [PUBLISHED] * 3


def test_there_may_be_no_odometry(temporal, monkeypatch):
    given = note_frames(temporal, monkeypatch)
    temporal.localize(BLACK, CAMERA, 7)
    assert [(frame.stamp, frame.T_odom_camera) for frame in given] == [(7, None)]


def test_a_frame_is_forgotten_after_its_time(gallery, localizer, temporal):
    temporal.fuse(frame_of(localizer, gallery.render(pose(0)).image, 0))
    frame = frame_of(localizer, gallery.render(pose(1)).image, 1)
    later = replace(alone(frame), stamp=int(0.6e9))
    assert not temporal.fuse(later).localization.is_localized


def test_time_that_jumps_back_begins_a_new_video(gallery, localizer, temporal):
    temporal.fuse(frame_of(localizer, gallery.render(pose(0)).image, 10))
    before = alone(frame_of(localizer, gallery.render(pose(1)).image, 9))
    assert not temporal.fuse(before).localization.is_localized
    # And a reset forgets as well.
    temporal.fuse(frame_of(localizer, gallery.render(pose(2)).image, 11))
    temporal.reset()
    after = alone(frame_of(localizer, gallery.render(pose(3)).image, 12))
    assert not temporal.fuse(after).localization.is_localized


def test_a_repeated_image_is_no_new_evidence(gallery, localizer, temporal):
    """The filter's covariance shrinks with the second of two frames only if it is another one."""
    spreads = []
    for repeats in (True, False):
        temporal.reset()
        frame = frame_of(localizer, gallery.render(pose(0)).image, 0)
        assert temporal.fuse(frame).is_new
        noisier = gallery.render(pose(0)).image // 2
        second = frame if repeats else frame_of(localizer, noisier, 1)
        fused = temporal.fuse(replace(second, stamp=PERIOD))
        assert fused.is_new is not repeats
        spreads.append(np.trace(fused.localization.estimate.covariance))
    assert spreads[1] < spreads[0]


def test_an_image_of_another_size_is_refused(localizer, temporal):
    for number in range(2):
        fused = temporal.localize_and_fuse(np.zeros((10, 10, 3), np.uint8), CAMERA, number * PERIOD)
        assert fused.localization.status is Status.INVALID_INPUT


def test_odometry_that_is_no_pose_begins_a_new_video(gallery, localizer, temporal, caplog):
    temporal.fuse(frame_of(localizer, gallery.render(pose(0)).image, 0))
    broken = np.full((4, 4), np.nan)
    frame = frame_of(localizer, gallery.render(pose(1)).image, 1, T_odom_camera=broken)
    fused = temporal.fuse(frame)
    assert fused.localization is frame.localization
    assert "taken by itself" in caplog.text
    lost = alone(frame_of(localizer, gallery.render(pose(2)).image, 2))
    assert not temporal.fuse(lost).localization.is_localized


def test_poses_without_features_are_filtered(gallery, localizer, temporal):
    """As sift_pnp has them."""
    spread = []
    for number in range(3):
        frame = frame_of(localizer, gallery.render(pose(number)).image, number)
        fused = temporal.fuse(replace(frame, features=None))
        assert fused.is_new
        assert is_right(fused, pose(number))
        spread.append(np.trace(fused.localization.estimate.covariance))
    assert spread[0] == pytest.approx(np.trace(fused.raw.estimate.covariance), rel=1.0)
    assert not fused.is_fused
