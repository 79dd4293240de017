"""A video of a rendered room: what the frame before saves, and what it must not do."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from gallery import CAMERA, Gallery, looking

from dense_reloc_ros.configuration import LocalizerConfiguration, VerificationConfiguration
from dense_reloc_ros.features.extractor import DenseFeatures
from dense_reloc_ros.features.extractors import create_extractor
from dense_reloc_ros.geometry.se3 import pose_error, rigid
from dense_reloc_ros.geometry.trajectory import Trajectory
from dense_reloc_ros.images.light_levels import LEVELS, degrade
from dense_reloc_ros.localization.factory import localizer_for
from dense_reloc_ros.localization.result import Localization, Status
from dense_reloc_ros.localization.sparse_to_dense import SparseToDenseLocalizer
from dense_reloc_ros.mapping.builder import build_from_depth
from dense_reloc_ros.mapping.dense_describer import DenseDescriber
from dense_reloc_ros.scene.scene_map import MapCalibration
from dense_reloc_ros.temporal.fused_frames import FusedLocalization, LocalizedFrame
from dense_reloc_ros.temporal.fusion_configuration import TemporalConfiguration
from dense_reloc_ros.temporal.temporal_localizer import TemporalLocalizer

PERIOD = 66_000_000
DARK = replace(LEVELS["harsh"], covered=0.0)
BLACK = np.zeros((CAMERA.height, CAMERA.width, 3), np.uint8)
PUBLISHED = Localization(Status.REJECTED, "the pose does not fit those before it")


@pytest.fixture(scope="module")
def localizer(gallery: Gallery) -> SparseToDenseLocalizer:
    device = torch.device("cpu")
    scene_map = build_from_depth(
        gallery.keyframes(), DenseDescriber(create_extractor("compact", device), 200)
    )
    calibration = MapCalibration(score_threshold=0.3)
    information = scene_map.information.model_copy(update={"calibration": calibration})
    scene_map = replace(scene_map, information=information)
    return localizer_for(scene_map, LocalizerConfiguration(), None, device)


@pytest.fixture
def temporal(localizer: SparseToDenseLocalizer) -> TemporalLocalizer:
    return TemporalLocalizer(localizer, TemporalConfiguration())


def pose(number: int) -> np.ndarray:
    """Of a frame of a slow turn, 15 times a second."""
    return looking(20 + 1.2 * number, distance=0.3, height=1.3 - 0.01 * number, pitch=2.0)


def is_right(fused: FusedLocalization, truth: np.ndarray) -> bool:
    T_map_camera = fused.localization.T_map_camera
    if T_map_camera is None:
        return False
    error = pose_error(T_map_camera, truth)
    return error.translation < 0.1 and error.rotation < np.radians(4)


def alone(frame: LocalizedFrame) -> LocalizedFrame:
    """The same frame when it could not be localized by itself."""
    lost = Localization(Status.NO_CANDIDATES, "made up", features=frame.features)
    return replace(frame, localization=lost)


def note_frames(temporal: TemporalLocalizer, monkeypatch) -> list[LocalizedFrame]:
    """The frames that are to be fused from now on, of which nothing becomes but `PUBLISHED`."""
    given: list[LocalizedFrame] = []

    def fuse(frame: LocalizedFrame) -> FusedLocalization:
        given.append(frame)
        return FusedLocalization(PUBLISHED, frame.localization, confidence=0.5, is_fused=True)

    monkeypatch.setattr(temporal, "fuse", fuse)
    return given


def unlike(features: DenseFeatures) -> DenseFeatures:
    """Features that correlate with nothing that these correlate with."""
    levels = {name: replace(one, values=-one.values) for name, one in features.levels.items()}
    return replace(features, levels=levels)


def frame_of(localizer, image: np.ndarray, number: int, **changes) -> LocalizedFrame:
    single = localizer.localize(image, CAMERA)
    return LocalizedFrame(number * PERIOD, CAMERA, single.features, single, **changes)


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


def test_an_image_of_another_size_is_refused(localizer, temporal):
    for number in range(2):
        fused = temporal.localize_and_fuse(np.zeros((10, 10, 3), np.uint8), CAMERA, number * PERIOD)
        assert fused.localization.status is Status.INVALID_INPUT


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
    """Sure, 8 cm aside, with a covariance of a millimetre: the camera cannot have jumped there."""
    for number in range(4):
        temporal.fuse(frame_of(localizer, gallery.render(pose(number)).image, number))
    frame = frame_of(localizer, gallery.render(pose(4)).image, 4)
    aside = pose(4)
    aside[:3, 3] += [0.0, 0.08, 0.0]
    exact = replace(
        frame.localization.estimate,
        T_map_camera=aside,
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
