"""A video of a rendered room: what the frames before save."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from gallery import looking
from temporal.slow_turn import DARK, alone, frame_of, is_right, pose, unlike

from dense_reloc_ros.configuration import LocalizerConfiguration, VerificationConfiguration
from dense_reloc_ros.images.light_levels import degrade
from dense_reloc_ros.localization.factory import localizer_for
from dense_reloc_ros.localization.result import Localization, Status
from dense_reloc_ros.temporal.fusion_configuration import TemporalConfiguration
from dense_reloc_ros.temporal.temporal_localizer import TemporalLocalizer


def test_a_sure_frame_stays_as_it_is(gallery, localizer, temporal):
    for number in range(3):
        frame = frame_of(localizer, gallery.render(pose(number)).image, number)
        fused = temporal.fuse(frame)
        assert fused.raw is frame.localization
        assert not fused.is_fused
        assert fused.confidence > 0.9
        assert is_right(fused, pose(number))


def test_frames_in_the_dark_are_saved(gallery, localizer, temporal):
    """The single frame finds nothing; the map near the predicted pose and the last frame do."""
    for number in range(3):
        temporal.fuse(frame_of(localizer, gallery.render(pose(number)).image, number))
    for number in range(3, 9):
        image = degrade(gallery.render(pose(number)).image, DARK, number)
        fused = temporal.fuse(alone(frame_of(localizer, image, number)))
        assert fused.is_fused
        assert fused.confidence == 0
        assert is_right(fused, pose(number))
    assert "temporal pose" in fused.localization.stage_milliseconds


def test_fused_poses_are_decided_about_as_single_ones(gallery, localizer):
    """They have a confidence, and are not published where their expected error is too large."""
    for largest, reason in ((5.0, ""), (1e-3, "the expected error of the rotation")):
        strict = VerificationConfiguration(largest_error_deg=largest)
        options = LocalizerConfiguration(verification=strict)
        judging = localizer_for(localizer.scene_map, options, None, torch.device("cpu"))
        temporal = TemporalLocalizer(judging, TemporalConfiguration())
        temporal.fuse(frame_of(localizer, gallery.render(pose(0)).image, 0))
        image = degrade(gallery.render(pose(1)).image, DARK, 1)
        fused = temporal.fuse(alone(frame_of(localizer, image, 1)))
        assert fused.is_fused
        assert fused.raw.is_localized is not bool(reason)
        assert fused.localization.reason.startswith(reason)
        assert 0.95 <= fused.raw.estimate.confidence < 1.0


@pytest.mark.parametrize(("before", "is_published"), [(0.99, True), (0.5, False)])
def test_a_pose_is_as_sure_as_it_and_the_one_before_are_together(
    before, is_published, gallery, localizer, temporal
):
    """A pose where it is expected, of which the image alone says 0.7: odds of 99 or 1 times 7/3."""
    first = frame_of(localizer, gallery.render(pose(0)).image, 0)
    estimate = replace(first.localization.estimate, confidence=before)
    known = replace(first.localization, estimate=estimate)
    temporal.fuse(replace(first, localization=known))
    frame = frame_of(localizer, gallery.render(pose(1)).image, 1)
    estimate = replace(frame.localization.estimate, T_map_camera=pose(1), confidence=0.7)
    unsure = Localization(Status.REJECTED, "made up", estimate, features=unlike(frame.features))
    fused = temporal.fuse(replace(frame, localization=unsure, features=unlike(frame.features)))
    odds = before / (1 - before) * 7 / 3
    assert fused.raw.estimate.confidence == pytest.approx(odds / (1 + odds))
    assert fused.localization.is_localized is is_published
    assert ("is below least_confidence" in fused.localization.reason) is not is_published


def test_odometry_bridges_a_turn_that_no_velocity_foretells(gallery, localizer):
    """The camera stands, and turns by 15 degrees until the next frame, which is dark."""
    found = []
    for knows_odometry in (False, True):
        temporal = TemporalLocalizer(localizer, TemporalConfiguration())
        for number, yaw in enumerate((20.0, 20.0, 35.0)):
            truth = looking(yaw, distance=0.3)
            image = gallery.render(truth).image
            if number == 2:
                image = degrade(image, DARK, number)
            odometry = np.linalg.inv(looking(0.0)) @ truth if knows_odometry else None
            frame = frame_of(localizer, image, number, T_odom_camera=odometry)
            fused = temporal.fuse(alone(frame) if number == 2 else frame)
        found.append(is_right(fused, truth))
    assert found == [False, True]
