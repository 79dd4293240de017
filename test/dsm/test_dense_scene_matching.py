"""From an image to a pose by scene coordinates, with a network that knows them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from dsm.knowing_matcher import KnowingMatcher
from gallery import CAMERA, Gallery, looking

from dense_reloc_ros.configuration import LocalizerConfiguration
from dense_reloc_ros.errors import ConfigurationError
from dense_reloc_ros.geometry.camera import Camera
from dense_reloc_ros.geometry.se3 import pose_error
from dense_reloc_ros.localization.dense_scene_matching import DsmLocalizer
from dense_reloc_ros.localization.factory import open_localizer
from dense_reloc_ros.localization.result import Status
from dense_reloc_ros.mapping.coordinate_maps import coordinate_map
from dense_reloc_ros.parameter_blocks import block_from_mapping
from dense_reloc_ros.scene.reader import load_map
from dense_reloc_ros.temporal.dsm_video import DsmVideo

CPU = torch.device("cpu")
SIZE = (48, 64)
SECOND = 1_000_000_000


@pytest.fixture
def matcher() -> KnowingMatcher:
    return KnowingMatcher()


def dsm_localizer(map_path, matcher, **parameters) -> DsmLocalizer:
    configuration = block_from_mapping(LocalizerConfiguration, {"dsm": parameters})
    return DsmLocalizer(load_map(map_path), configuration, CPU, "dsm_compact", matcher)


@pytest.fixture
def localizer(map_path, matcher) -> DsmLocalizer:
    return dsm_localizer(map_path, matcher)


def see(gallery: Gallery, matcher: KnowingMatcher, pose: np.ndarray, wrong: float = 0.0):
    """The image of a pose; the matcher knows its coordinates, but for a share of the cells."""
    view = gallery.render(pose)
    truth = coordinate_map(view.depth, CAMERA, pose, SIZE)
    rng = np.random.default_rng(0)
    is_wrong = rng.random(SIZE) < wrong
    truth[is_wrong] = rng.uniform(-2, 2, (is_wrong.sum(), 3))
    matcher.truth = np.nan_to_num(truth)
    return view.image


def query_pose(yaw: float) -> np.ndarray:
    return looking(yaw, distance=0.3, height=1.3, pitch=2.0)


@pytest.mark.parametrize(("yaw", "wrong"), [(15, 0.0), (110, 0.5), (290, 0.3)])
def test_the_pose_is_that_of_the_coordinates(gallery, localizer, matcher, yaw, wrong):
    pose = query_pose(yaw)
    result = localizer.localize(see(gallery, matcher, pose, wrong), CAMERA)
    assert result.status is Status.LOCALIZED
    error = pose_error(result.T_map_camera, pose)
    assert error.translation < 1e-3
    assert error.rotation < 1e-3
    assert result.estimate.score == pytest.approx(1 - wrong, abs=0.06)
    assert (np.linalg.eigvalsh(result.estimate.covariance) > 0).all()
    stages = ["undistort", "features", "retrieval", "matching", "pose"]
    assert list(result.stage_milliseconds) == stages


def test_scene_images_are_those_that_show_the_same(gallery, map_path, matcher):
    localizer = dsm_localizer(map_path, matcher, scene_images=4)
    estimate = localizer.localize(see(gallery, matcher, query_pose(95)), CAMERA).estimate
    seen = np.array([30 * k for k in estimate.keyframes])
    assert len(seen) <= 4
    assert {90, 120} & set(seen)
    views, previous, confidence = matcher.matched[0]
    assert previous is None
    assert confidence is None
    assert views.T_camera_map.shape[1] <= 4


def test_supporting_points_are_those_in_the_image(gallery, localizer, matcher):
    pose = query_pose(65)
    estimate = localizer.localize(see(gallery, matcher, pose), CAMERA).estimate
    supporting = estimate.supporting_points
    assert len(np.unique(supporting)) == len(supporting) > 50
    points = localizer.scene_map.points.numpy()[supporting]
    local = (points - pose[:3, 3]) @ pose[:3, :3]
    pixels = local[:, :2] / local[:, 2:] * 260.0 + [159.5, 119.5]
    assert ((pixels > -3) & (pixels < [323, 243])).all()
    depth = gallery.render(pose).depth
    columns, rows = np.clip(np.rint(pixels), 0, [319, 239]).astype(int).T
    assert np.median(np.abs(depth[rows, columns] - local[:, 2])) < 0.02


def test_coordinates_that_contradict_each_other_are_not_believed(gallery, localizer, matcher):
    image = see(gallery, matcher, query_pose(15), wrong=0.97)
    result = localizer.localize(image, CAMERA)
    assert result.status in (Status.REJECTED, Status.NO_CANDIDATES)
    assert result.reason
    assert result.T_map_camera is None


def test_the_coordinates_are_part_of_the_answer(gallery, localizer, matcher):
    result = localizer.localize(see(gallery, matcher, query_pose(200)), CAMERA)
    np.testing.assert_allclose(result.coordinates.points, matcher.truth, atol=1e-5)
    assert result.coordinates.certainty.shape == SIZE
    candidates = result.coordinates.candidates
    assert candidates.shape == (3, 24, 32, 3)
    np.testing.assert_allclose(candidates[2] - candidates[0], [[[0.2, 0, 0]] * 32] * 24, atol=1e-5)


def test_cameras_of_another_shape_and_size_are_localized(gallery, localizer, matcher):
    """The upper 2/3 of an image: stretched to the network's size, as are the intrinsics."""
    pose = query_pose(290)
    view = gallery.render(pose)
    camera = Camera(320, 160, CAMERA.fx, CAMERA.fy, CAMERA.cx, CAMERA.cy)
    matcher.truth = np.nan_to_num(coordinate_map(view.depth[:160], camera, pose, SIZE))
    result = localizer.localize(np.ascontiguousarray(view.image[:160]), camera)
    assert pose_error(result.T_map_camera, pose).translation < 1e-3


def test_images_of_another_size_than_the_cameras_are_invalid(localizer):
    result = localizer.localize(np.zeros((120, 160, 3), np.uint8), CAMERA)
    assert result.status is Status.INVALID_INPUT
    assert "160x120" in result.reason


def test_parameters_can_change_between_frames(gallery, localizer, matcher):
    image = see(gallery, matcher, query_pose(15), wrong=0.3)
    assert localizer.localize(image, CAMERA).is_localized
    localizer.configuration = block_from_mapping(
        LocalizerConfiguration,
        {"dsm": {"scene_images": 1}, "verification": {"score_threshold": 0.9}},
    )
    result = localizer.localize(image, CAMERA)
    assert result.status is Status.REJECTED
    assert len(result.estimate.keyframes) == 1


def test_the_paper_s_network_needs_weights(map_path):
    configuration = block_from_mapping(LocalizerConfiguration, {})
    with pytest.raises(ConfigurationError, match=r"'dsm' has no weights.*dsm\.weights"):
        open_localizer(map_path, configuration, "dsm", "cpu")


def test_the_covariance_is_that_of_the_pose(gallery, localizer, matcher):
    """Along the ray a pose is less sure than across it, and less where the inliers scatter."""
    pose = query_pose(15)
    see(gallery, matcher, pose)
    exact = matcher.truth
    rng = np.random.default_rng(1)
    variances = []
    for noise in (0.005, 0.01):
        matcher.truth = exact + noise * rng.standard_normal(exact.shape)
        estimate = localizer.localize(gallery.render(pose).image, CAMERA).estimate
        variances.append(np.trace(estimate.covariance[:3, :3]))
    assert 2.0 < variances[1] / variances[0] < 8.0


class TestVideo:
    """What is remembered of earlier images, and for how long."""

    @pytest.fixture
    def video(self, localizer) -> DsmVideo:
        return DsmVideo(localizer, max_age=0.5)

    def test_an_image_is_matched_with_the_one_before(self, gallery, matcher, video):
        first, second = query_pose(15), query_pose(17)
        image = see(gallery, matcher, first, wrong=0.5)
        assert video.localize(image, CAMERA, 5 * SECOND).is_localized
        count = len(matcher.matched)
        assert all(previous is None for _, previous, _ in matcher.matched)
        image_after = see(gallery, matcher, second, wrong=0.5)
        result = video.localize(image_after, CAMERA, 5 * SECOND + SECOND // 3)
        assert pose_error(result.T_map_camera, second).translation < 1e-3
        used = [(p, s) for _, p, s in matcher.matched[count:] if p is not None]
        # Once for each place, after the image was matched by itself.
        assert len(used) == (len(matcher.matched) - count) / 2
        previous, confidence = used[0]
        np.testing.assert_allclose(previous.T_camera_map[0].numpy() @ first, np.eye(4), atol=2e-3)
        small = image.reshape(48, 5, 64, 5, 3).mean(axis=(1, 3)) / 255
        colours = previous.features[1][0].permute(1, 2, 0).numpy()
        assert np.abs(colours - small).mean() < 0.01
        assert previous.intrinsics[0, 0] == pytest.approx(CAMERA.fx * 256 / 320)
        # That of the image by itself: half of its cells agree with its pose.
        assert confidence.tolist() == pytest.approx([0.5], abs=0.06)

    def test_images_that_are_sure_by_themselves_need_no_other(self, gallery, matcher, video):
        image = see(gallery, matcher, query_pose(15), wrong=0.2)
        for stamp in (9 * SECOND, 9 * SECOND + 1000):
            assert video.localize(image, CAMERA, stamp).is_localized
        assert all(previous is None for _, previous, _ in matcher.matched)

    @pytest.mark.parametrize(
        ("later", "is_used"),
        [(SECOND // 2, True), (SECOND // 2 + 1, False), (0, False), (-1, False)],
    )
    def test_only_recent_images_of_the_same_video_count(
        self, gallery, matcher, video, later, is_used
    ):
        image = see(gallery, matcher, query_pose(15), wrong=0.5)
        video.localize(image, CAMERA, 9 * SECOND)
        video.localize(image, CAMERA, 9 * SECOND + later)
        assert (matcher.matched[-1][1] is not None) == is_used

    def test_what_was_not_localized_is_not_used(self, gallery, matcher, video):
        pose = query_pose(15)
        video.localize(see(gallery, matcher, pose, wrong=0.5), CAMERA, 9 * SECOND)
        good = matcher.truth
        image = see(gallery, matcher, pose, wrong=0.97)
        assert not video.localize(image, CAMERA, 9 * SECOND + 1000).is_localized
        assert not video.localize(image[:10], CAMERA, 9 * SECOND + 2000).is_localized
        matcher.truth = good
        video.localize(image, CAMERA, 9 * SECOND + SECOND // 2)
        _, previous, _ = matcher.matched[-1]
        np.testing.assert_allclose(previous.T_camera_map[0].numpy() @ pose, np.eye(4), atol=2e-3)

    def test_a_wrong_previous_pose_cannot_confirm_itself(self, gallery, matcher, video):
        """With its help, the coordinates speak unanimously for a pose half a metre away."""
        pose = query_pose(15)
        image = see(gallery, matcher, pose, wrong=0.6)
        matcher.fused = np.nan_to_num(
            coordinate_map(gallery.render(pose).depth, CAMERA, pose, SIZE) + np.array([0.5, 0, 0])
        )
        for later in range(3):
            result = video.localize(image, CAMERA, 9 * SECOND + later * SECOND // 15)
            assert pose_error(result.T_map_camera, pose).translation < 2e-3
            assert result.estimate.score == pytest.approx(0.4, abs=0.06)
        assert matcher.matched[-1][1] is not None
        np.testing.assert_allclose(result.coordinates.points, matcher.truth, atol=1e-5)

    def test_better_coordinates_make_a_better_pose(self, gallery, matcher, video):
        pose = query_pose(15)
        image = see(gallery, matcher, pose)
        exact = matcher.truth
        rng = np.random.default_rng(3)
        # Noise that is larger on one side of the image tilts the pose of one image.
        noise = rng.standard_normal(exact.shape) * np.linspace(0.005, 0.08, 64)[:, None]
        matcher.truth, matcher.fused = exact + noise, exact
        alone = video.localize(image, CAMERA, 9 * SECOND)
        helped = video.localize(image, CAMERA, 9 * SECOND + SECOND // 15)
        errors = [pose_error(r.T_map_camera, pose).translation for r in (alone, helped)]
        assert errors[1] < 1e-3 < errors[0]
        # By the map alone, and no less than without the help.
        assert 1.1 * alone.estimate.score > helped.estimate.score >= alone.estimate.score
        np.testing.assert_allclose(helped.coordinates.points, exact, atol=1e-5)

    def test_a_reset_forgets(self, gallery, matcher, video):
        image = see(gallery, matcher, query_pose(15), wrong=0.5)
        video.localize(image, CAMERA, 9 * SECOND)
        video.reset()
        video.localize(image, CAMERA, 9 * SECOND + 1000)
        assert matcher.matched[-1][1] is None
