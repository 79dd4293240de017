"""A video of a rendered room: wrong, blurred and black frames must not mislead."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from gallery import CAMERA, looking
from temporal.slow_turn import BLACK, DARK, PERIOD, alone, frame_of, is_right, pose

from dense_reloc_ros.geometry.se3 import pose_error
from dense_reloc_ros.images.light_levels import degrade


@pytest.mark.parametrize("confidence", [0.27, 0.98], ids=["unsure", "sure"])
@pytest.mark.parametrize("yaw", [10.0, 180.0])
def test_a_wrong_previous_pose_does_not_win(gallery, localizer, temporal, yaw, confidence):
    """Wrong by a step and a turn, or by half a turn: the frames after it are right.

    Sure ones are published at once; unsure ones when the wrong pose is too old to speak against
    them. What the wrong pose suggests is never published.
    """
    wrong = looking(20 + yaw, distance=0.1, height=1.3, pitch=2.0)
    for number in range(2):
        frame = frame_of(localizer, gallery.render(pose(number)).image, number)
        estimate = replace(frame.localization.estimate, T_map_camera=wrong, confidence=confidence)
        misled = replace(frame.localization, estimate=estimate)
        temporal.fuse(replace(frame, localization=misled))
    published = []
    for number in range(2, 16):
        frame = frame_of(localizer, gallery.render(pose(number)).image, number)
        estimate = replace(frame.localization.estimate, confidence=confidence)
        single = replace(frame.localization, estimate=estimate)
        fused = temporal.fuse(replace(frame, localization=single))
        published.append(fused.localization.is_localized)
        assert is_right(fused, pose(number)) or not published[-1]
    assert all(published[-3:])
    assert all(published) is (confidence > 0.9)


@pytest.mark.parametrize("yaw", [100.0, 200.0])
def test_a_carried_off_camera_is_not_localized_where_it_was(gallery, localizer, temporal, yaw):
    """Neither in view of something else nor with the video of that as its own witness."""
    temporal.fuse(frame_of(localizer, gallery.render(pose(0)).image, 0))
    for number in range(1, 5):
        elsewhere = looking(yaw + number, distance=0.3)
        image = degrade(gallery.render(elsewhere).image, DARK, number)
        fused = temporal.fuse(alone(frame_of(localizer, image, number)))
        assert not fused.localization.is_localized


def test_nothing_is_seen_in_the_black(gallery, localizer, temporal):
    temporal.fuse(frame_of(localizer, gallery.render(pose(0)).image, 0))
    noise = np.random.default_rng(0).integers(0, 6, BLACK.shape).astype(np.uint8)
    for number, image in ((1, BLACK), (2, noise)):
        fused = temporal.localize_and_fuse(image, CAMERA, number * PERIOD)
        assert not fused.localization.is_localized


def test_a_single_frame_that_is_doubted_must_be_near(gallery, localizer, temporal):
    """A step aside in a fifteenth of a second: a wrong pose, unless the frame is surer."""
    temporal.fuse(frame_of(localizer, gallery.render(pose(0)).image, 0))
    for number, score, believed in ((1, 0.35, False), (2, 0.95, True)):
        frame = frame_of(localizer, gallery.render(pose(number)).image, number)
        aside = pose(number)
        aside[:3, 3] += [0.0, 0.6, 0.0]
        estimate = replace(
            frame.localization.estimate, T_map_camera=aside, score=score, confidence=score
        )
        features = replace(
            frame.features,
            levels={k: replace(v, values=-v.values) for k, v in frame.features.levels.items()},
        )
        odd = replace(frame.localization, estimate=estimate, features=features)
        fused = temporal.fuse(replace(frame, localization=odd, features=features))
        assert fused.raw is odd
        assert fused.localization.is_localized is believed
        if not believed:
            assert "does not fit" in fused.localization.reason


def test_a_blurred_frame_that_says_to_be_exact_does_not_pull_the_pose(gallery, localizer, temporal):
    """Sure, 8 cm aside, with a covariance of a millimetre, but its points gain half as much."""
    for number in range(4):
        temporal.fuse(frame_of(localizer, gallery.render(pose(number)).image, number))
    frame = frame_of(localizer, gallery.render(pose(4)).image, 4)
    aside = pose(4)
    aside[:3, 3] += [0.0, 0.08, 0.0]
    alone = frame.localization.estimate
    gain = alone.evidence.mean_gain / 2
    exact = replace(
        alone,
        T_map_camera=aside,
        evidence=replace(alone.evidence, mean_gain=gain),
        covariance=1e-6 * np.eye(6),
        confidence=0.98,
    )
    fused = temporal.fuse(replace(frame, localization=replace(frame.localization, estimate=exact)))
    published = fused.localization
    assert published.is_localized
    assert pose_error(published.T_map_camera, pose(4)).translation < 0.04
    off = published.T_map_camera[:3, 3] - pose(4)[:3, 3]
    assert off @ np.linalg.solve(published.estimate.covariance[:3, :3], off) < 11.3  # 99%


@pytest.mark.parametrize("knows_odometry", [False, True])
def test_odometry_speaks_against_a_sure_pose_elsewhere_until_others_agree(
    gallery, localizer, temporal, knows_odometry
):
    """Without it, the camera may have been carried off."""
    start, published = np.linalg.inv(pose(0)), []
    for number in range(6):
        odometry = start @ pose(number) if knows_odometry else None
        image = gallery.render(pose(number)).image
        frame = frame_of(localizer, image, number, T_odom_camera=odometry)
        if number >= 2:
            elsewhere = pose(number)
            elsewhere[:3, 3] += [0.0, 0.9, 0.0]
            estimate = replace(frame.localization.estimate, T_map_camera=elsewhere, confidence=0.99)
            frame = replace(frame, localization=replace(frame.localization, estimate=estimate))
        published.append(temporal.fuse(frame).localization.is_localized)
    assert published == ([True] * 2 + [not knows_odometry] * 2 + [True] * 2)


def test_a_sharp_frame_is_believed_where_velocity_foretells_another_pose(
    gallery, localizer, temporal
):
    """A camera that stood still steps aside: its own sure pose is published."""
    for number in range(9):
        frame = frame_of(localizer, gallery.render(pose(number)).image, number)
        said = pose(0)
        said[1, 3] += 0.06 * (number == 8)
        estimate = replace(
            frame.localization.estimate,
            T_map_camera=said,
            covariance=1e-6 * np.eye(6),
            confidence=0.98,
        )
        sharp = replace(frame.localization, estimate=estimate)
        published = temporal.fuse(replace(frame, localization=sharp)).localization
    np.testing.assert_allclose(published.T_map_camera, said, atol=1e-9)
