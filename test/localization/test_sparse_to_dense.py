"""One frame in, one Localization out: a rendered room, and what is no picture of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from gallery import CAMERA, KEYFRAME_YAWS, Gallery, looking

from dense_reloc_ros.configuration import LocalizerConfiguration
from dense_reloc_ros.errors import ConfigurationError, MapError
from dense_reloc_ros.features.extractor import image_to_tensor
from dense_reloc_ros.features.extractors import create_extractor
from dense_reloc_ros.geometry.camera import Camera
from dense_reloc_ros.geometry.se3 import PoseError, pose_error
from dense_reloc_ros.localization.factory import open_localizer
from dense_reloc_ros.localization.methods import DEFAULT_METHOD
from dense_reloc_ros.localization.result import Localization, Status
from dense_reloc_ros.localization.sparse_to_dense import SparseToDenseLocalizer
from dense_reloc_ros.mapping.builder import build_from_depth
from dense_reloc_ros.mapping.dense_describer import DenseDescriber
from dense_reloc_ros.method_configuration import NreConfiguration
from dense_reloc_ros.parameter_blocks import block_from_mapping
from dense_reloc_ros.pose.nre import estimate_nre
from dense_reloc_ros.pose.problem import PoseProblem
from dense_reloc_ros.rendering.photographs import photograph
from dense_reloc_ros.scene.reader import load_map
from dense_reloc_ros.scene.writer import write_map

STRICT = block_from_mapping(LocalizerConfiguration, {"verification": {"score_threshold": 0.5}})
"""Right poses in the gallery score from 0.75 on, wrong ones 0.3 at most."""


@pytest.fixture(scope="module")
def map_path(gallery: Gallery, tmp_path_factory: pytest.TempPathFactory) -> Path:
    extractor = create_extractor("effnet_lite0", torch.device("cpu"))
    path = tmp_path_factory.mktemp("gallery") / "map"
    write_map(path, build_from_depth(gallery.keyframes(), DenseDescriber(extractor, 200)))
    return path


@pytest.fixture(scope="module")
def localizer(map_path: Path) -> SparseToDenseLocalizer:
    return open_localizer(map_path, STRICT, device="cpu")


def query_pose(yaw: float) -> np.ndarray:
    """A pose between keyframes, nearer to the middle of the room and higher."""
    return looking(yaw, distance=0.3, height=1.3, pitch=2.0)


def error_of(localization: Localization, truth: np.ndarray) -> PoseError:
    assert localization.status is Status.LOCALIZED, localization.reason
    return pose_error(localization.T_map_camera, truth)


@pytest.mark.parametrize("yaw", [15, 110, 200, 290])
def test_views_of_the_room_are_localized(yaw, gallery, localizer):
    truth = query_pose(yaw)
    localization = localizer.localize(gallery.render(truth).image, CAMERA)
    error = error_of(localization, truth)
    assert error.translation < 0.06
    assert np.degrees(error.rotation) < 1.5
    assert localization.reason == ""
    estimate = localization.estimate
    assert estimate.score > STRICT.verification.score_threshold
    seen = np.array([KEYFRAME_YAWS[k] for k in estimate.keyframes])
    assert np.abs((seen - yaw + 180) % 360 - 180)[0] <= 30
    assert estimate.covariance.shape == (6, 6)
    assert (np.linalg.eigvalsh(estimate.covariance) > 0).all()


def test_supporting_points_are_where_the_pose_sees_them(gallery, localizer):
    truth = query_pose(65)
    view = gallery.render(truth)
    estimate = localizer.localize(view.image, CAMERA).estimate
    supporting = estimate.supporting_points
    assert len(np.unique(supporting)) == len(supporting) > 50
    points = localizer.scene_map.points.numpy()[supporting]
    local = (points - truth[:3, 3]) @ truth[:3, :3]
    columns, rows = np.rint(local[:, :2] / local[:, 2:] * 260.0 + [159.5, 119.5]).astype(int).T
    inside = (columns >= 0) & (columns < 320) & (rows >= 0) & (rows < 240)
    assert inside.mean() > 0.95
    depth = view.depth[rows[inside], columns[inside]]
    assert np.median(np.abs(depth - local[inside, 2])) < 0.02


def test_losses_are_those_of_the_points_in_the_image(gallery, localizer):
    estimate = localizer.localize(gallery.render(query_pose(65)).image, CAMERA).estimate
    found = estimate.losses
    assert len(found.points) == len(np.unique(found.points)) == estimate.evidence.visible
    assert 0.0 <= found.losses.min() <= found.losses.max() <= 1.0
    # A point supports a pose that gains 35% of what a map can gain.
    np.testing.assert_array_equal(found.points[found.losses < 0.65], estimate.supporting_points)
    mean_gain = 1 - found.losses.astype(np.float64).mean()
    assert mean_gain == pytest.approx(estimate.evidence.mean_gain, abs=1e-5)


def test_stages_are_timed_in_their_order(gallery, localizer):
    localization = localizer.localize(gallery.render(query_pose(15)).image, CAMERA)
    stages = ["undistort", "features", "retrieval", "matching", "pose", "verification"]
    assert list(localization.stage_milliseconds) == stages


@pytest.mark.parametrize("method", ["re", "re_smoothed", "feature_pnp", "nre_feature_pnp"])
def test_methods_of_one_kind_share_a_map(method, gallery, map_path):
    localizer = open_localizer(map_path, STRICT, method, "cpu")
    assert localizer.method == method
    truth = query_pose(110)
    error = error_of(localizer.localize(gallery.render(truth).image, CAMERA), truth)
    assert error.translation < 0.1
    assert np.degrees(error.rotation) < 2.5


def test_the_method_is_that_of_the_map_unless_given(localizer):
    assert localizer.method == DEFAULT_METHOD


def test_the_same_image_has_the_same_answer(gallery, localizer):
    image = gallery.render(query_pose(290)).image
    one, two = (localizer.localize(image, CAMERA).T_map_camera for _ in range(2))
    np.testing.assert_array_equal(one, two)


def mirrored(view: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(view[:, ::-1])


def foreign(view: np.ndarray) -> np.ndarray:
    return cv2.resize(photograph("hubble_deep_field"), view.shape[1::-1])


def noise(view: np.ndarray) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, view.shape, dtype=np.uint8)


def test_several_images_have_the_answers_of_each_alone(gallery, localizer, monkeypatch):
    small = CAMERA.scaled(240, 180)
    views = [gallery.render(looking(yaw, distance=0.45, height=1.25)).image for yaw in (20, 30, 40)]
    images = [views[0], np.zeros_like(views[0]), views[1], views[0][1:], views[2]]
    images.append(gallery.render_with(small, looking(25, distance=0.4, height=1.25)).image)
    cameras = [*5 * [CAMERA], small]
    alone = [localizer.localize(*pair) for pair in zip(images, cameras, strict=True)]
    described = []

    def extractor(tensors):
        described.append(tuple(tensors.shape))
        return original(tensors)

    original = localizer.extractor
    extractor.device = original.device
    monkeypatch.setattr(localizer, "extractor", extractor)
    together = list(localizer.localize_many(zip(images, cameras, strict=True), at_once=5))
    assert described == [(n, 3, CAMERA.height, CAMERA.width) for n in (3, 1)]
    assert [one.status for one in together] == [one.status for one in alone]
    assert sum(one.is_localized for one in together) == 4
    for one, other in zip(alone, together, strict=True):
        assert one.reason == other.reason
        if one.is_localized:
            error = pose_error(one.T_map_camera, other.T_map_camera)
            assert error.translation < 0.001
            assert np.degrees(error.rotation) < 0.02
            assert list(one.stage_milliseconds)[:2] == list(other.stage_milliseconds)[:2]


@pytest.mark.parametrize("picture", [mirrored, foreign, noise, np.zeros_like])
def test_what_is_no_picture_of_the_room_is_rejected_with_a_reason(picture, gallery, localizer):
    view = gallery.render(query_pose(15)).image
    localization = localizer.localize(picture(view), CAMERA)
    assert localization.status in (Status.REJECTED, Status.NO_CANDIDATES)
    assert not localization.is_localized
    assert localization.reason
    assert localization.T_map_camera is None


def test_images_of_another_size_are_invalid_input(localizer):
    localization = localizer.localize(np.zeros((120, 160, 3), np.uint8), CAMERA)
    assert localization.status is Status.INVALID_INPUT
    assert "160x120 does not fit camera intrinsics for 320x240" in localization.reason
    assert localization.estimate is None


def test_grey_images_are_localized_like_their_copies_in_colour(gallery, localizer):
    grey = cv2.cvtColor(gallery.render(query_pose(65)).image, cv2.COLOR_RGB2GRAY)
    expected = localizer.localize(np.dstack([grey] * 3), CAMERA)
    localization = localizer.localize(grey, CAMERA)
    assert error_of(localization, query_pose(65)).translation < 0.06
    np.testing.assert_array_equal(localization.T_map_camera, expected.T_map_camera)


def test_floats_are_invalid_input_with_the_reason(gallery, localizer):
    image = gallery.render(query_pose(65)).image.astype(np.float32) / 255
    localization = localizer.localize(image, CAMERA)
    assert localization.status is Status.INVALID_INPUT
    assert "of uint8 from 0 to 255, not (240, 320, 3) of float32" in localization.reason


def test_a_prior_that_is_no_pose_is_invalid_input(gallery, localizer):
    image = gallery.render(query_pose(65)).image
    localization = localizer.localize(image, CAMERA, np.full((4, 4), np.nan))
    assert localization.status is Status.INVALID_INPUT
    assert "not finite" in localization.reason


def test_images_of_another_camera_are_localized_too(gallery, localizer):
    """Another size and another focal length than the map's."""
    truth = query_pose(200)
    image = cv2.resize(gallery.render(truth).image, (256, 192), interpolation=cv2.INTER_AREA)
    error = error_of(localizer.localize(image, CAMERA.scaled(256, 192)), truth)
    assert error.translation < 0.08


def test_distorted_cameras_are_undistorted(gallery, localizer):
    truth = query_pose(290)
    bent = Camera(320, 240, 260.0, 260.0, 159.5, 119.5, "plumb_bob", (-0.25, 0.06, 0.0, 0.0))
    columns, rows = np.meshgrid(np.arange(320.0), np.arange(240.0))
    pixels = np.stack([columns, rows], axis=-1).reshape(-1, 1, 2)
    straight = cv2.undistortPoints(
        pixels, bent.matrix, np.array(bent.distortion), P=bent.matrix
    ).reshape(240, 320, 2)
    view = gallery.render(truth).image
    image = cv2.remap(view, straight.astype(np.float32), None, cv2.INTER_LINEAR)
    assert np.abs(straight - pixels.reshape(240, 320, 2)).max() > 10
    assert error_of(localizer.localize(image, bent), truth).translation < 0.06
    taken_as_straight = localizer.localize(image, CAMERA).estimate
    assert pose_error(taken_as_straight.T_map_camera, truth).translation > 0.06


def test_a_prior_is_one_more_start(gallery, localizer, monkeypatch):
    truth = query_pose(110)
    image = gallery.render(truth).image
    seen = []

    def spy(problem: PoseProblem, configuration: NreConfiguration, prior: torch.Tensor | None):
        if prior is not None:  # the search for places that look alike starts without
            seen.append(prior.numpy())
        return estimate_nre(problem, configuration, prior)

    monkeypatch.setattr("dense_reloc_ros.localization.estimators.estimate_nre", spy)
    for prior in (truth, looking(290)):
        assert error_of(localizer.localize(image, CAMERA, prior), truth).translation < 0.06
        np.testing.assert_allclose(seen[-1] @ prior, np.eye(4), atol=1e-5)


def test_excluded_keyframes_are_not_retrieved(gallery, localizer):
    yaw = KEYFRAME_YAWS[3]
    image = image_to_tensor(gallery.render(looking(yaw)).image, torch.device("cpu"))
    features = localizer.extractor(image)
    assert localizer.retrieve(features)[0][0] == 3
    everyone = range(len(KEYFRAME_YAWS))
    others = localizer.retrieve(features, frozenset({3}))
    assert 3 not in {k for place in others for k in place}
    assert {k for place in others for k in place} & {2, 4}
    assert localizer.retrieve(features, frozenset(everyone)) == []


@pytest.mark.parametrize(
    ("method", "device", "error", "reason"),
    [
        ("orb", "cpu", ConfigurationError, "unknown method 'orb'"),
        ("sift_pnp", "cpu", ConfigurationError, "needs a sparse_to_sparse map"),
        (None, "gpu", ConfigurationError, "unknown device 'gpu'"),
        (None, "cuda:99", ConfigurationError, "'cuda:99' is not there"),
    ],
)
def test_what_cannot_work_is_refused_when_opening(method, device, error, reason, map_path):
    with pytest.raises(error, match=reason):
        open_localizer(map_path, STRICT, method, device)


def test_maps_that_are_missing_or_of_other_features_are_refused(map_path, tmp_path):
    with pytest.raises(MapError, match="nowhere"):
        open_localizer(tmp_path / "nowhere", STRICT)
    scene_map = load_map(map_path)
    signature = scene_map.information.signature.model_copy(update={"weights_sha256": "00" * 32})
    information = scene_map.information.model_copy(update={"signature": signature})
    write_map(tmp_path / "other", replace(scene_map, information=information))
    with pytest.raises(MapError, match="other weights"):
        open_localizer(tmp_path / "other", STRICT, device="cpu")
