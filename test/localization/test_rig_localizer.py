"""Several cameras on one body, in a rendered room where each of them sees too little."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch
from gallery import CAMERA, Gallery, looking
from scipy.spatial.transform import Rotation
from scipy.stats import chi2

from dense_reloc_ros.configuration import LocalizerConfiguration, RigConfiguration
from dense_reloc_ros.geometry.odometry_noise import OdometryNoise
from dense_reloc_ros.geometry.se3 import pose_error, rigid
from dense_reloc_ros.images.light_levels import LEVELS, degrade
from dense_reloc_ros.localization.factory import localizer_for
from dense_reloc_ros.localization.mounting_monitor import LEAST_DEGREES
from dense_reloc_ros.localization.result import Localization, PoseEstimate, Status
from dense_reloc_ros.localization.rig_images import RigImage
from dense_reloc_ros.localization.rig_localizer import RigLocalizer
from dense_reloc_ros.localization.sparse_to_dense import SparseToDenseLocalizer
from dense_reloc_ros.scene.scene_map import SceneMap

BLACK = np.zeros((CAMERA.height, CAMERA.width, 3), np.uint8)
DARK = replace(LEVELS["dark"], covered=0.0)


@pytest.fixture(scope="module")
def localizer(gallery_map: SceneMap) -> SparseToDenseLocalizer:
    return localizer_for(gallery_map, LocalizerConfiguration(), None, torch.device("cpu"))


@pytest.fixture
def rig(localizer: SparseToDenseLocalizer) -> RigLocalizer:
    return RigLocalizer(localizer)


def body_pose(yaw: float) -> np.ndarray:
    """Of the first camera, which is the body here."""
    return looking(yaw, distance=0.3, height=1.3, pitch=2.0)


def mounts(cameras: int, roll: float = 0.0) -> list[np.ndarray]:
    """T_body_camera of cameras that look evenly around, 10 cm in front of their middle."""
    middle = rigid(np.eye(3), np.array([0.0, 0.0, -0.1]))
    found = []
    for camera in range(cameras):
        turn = Rotation.from_euler("y", 360 / cameras * camera, degrees=True)
        turn *= Rotation.from_euler("z", roll, degrees=True)
        ahead = rigid(np.eye(3), np.array([0.0, 0.0, 0.1]))
        found.append(middle @ rigid(turn.as_matrix(), np.zeros(3)) @ ahead)
    return found


def seen_by(
    gallery: Gallery, T_map_body: np.ndarray, mounting: Sequence[np.ndarray]
) -> list[RigImage]:
    return [
        RigImage(gallery.render(T_map_body @ mount).image, CAMERA, mount, f"camera {number}")
        for number, mount in enumerate(mounting)
    ]


def half_seen(image: RigImage, number: int) -> RigImage:
    """In bad light, and with one half covered, another one in each."""
    dark = degrade(image.image, DARK, number)
    half = (number % 2) * (CAMERA.width // 2)
    dark[:, half : half + CAMERA.width // 2] = 30
    return replace(image, image=dark)


def assert_right(found: Localization, truth: np.ndarray, metres: float = 0.03) -> None:
    assert found.status is Status.LOCALIZED, found.reason
    error = pose_error(found.T_map_camera, truth)
    assert error.translation < metres
    assert np.degrees(error.rotation) < 1.0


@pytest.mark.parametrize("cameras", [2, 4])
def test_cameras_are_sure_together_where_each_sees_too_little(cameras, gallery, localizer, rig):
    truth = body_pose(30)
    images = [half_seen(i, n) for n, i in enumerate(seen_by(gallery, truth, mounts(cameras)))]
    alone = [localizer.localize(image.image, CAMERA) for image in images]
    found = rig.localize(images)
    assert_right(found, truth)
    best = max((one.estimate.confidence for one in alone if one.estimate), default=0.0)
    assert found.estimate.confidence > best
    errors = [
        pose_error(one.estimate.T_map_camera @ np.linalg.inv(image.T_body_camera), truth)
        for one, image in zip(alone, images, strict=True)
        if one.estimate is not None
    ]
    error = pose_error(found.T_map_camera, truth)
    assert all(error.translation < one.translation for one in errors)


def test_the_same_image_twice_says_no_more_about_the_pose(gallery, localizer, rig):
    (image,) = seen_by(gallery, body_pose(30), mounts(1))
    alone = localizer.localize(image.image, CAMERA).estimate
    twice = rig.localize([image, replace(image, name="again")]).estimate
    ratio = np.trace(twice.covariance[:3, :3]) / np.trace(alone.covariance[:3, :3])
    assert 0.8 < ratio < 1.25


def test_cameras_that_confirm_the_first_one_make_its_pose_more_exact(gallery, localizer, rig):
    """Where it is sure alone, they are looked at in half their size."""
    errors = []
    for yaw in (20, 140, 260):
        truth = body_pose(yaw)
        images = seen_by(gallery, truth, mounts(4))
        found = rig.localize(images)
        assert_right(found, truth)
        assert found.estimate.evidence.images > 1
        alone = localizer.localize(images[0].image, CAMERA)
        assert np.trace(found.estimate.covariance) < np.trace(alone.estimate.covariance)
        errors.append([pose_error(one.T_map_camera, truth).translation for one in (alone, found)])
    assert np.mean(errors, axis=0)[1] < np.mean(errors, axis=0)[0]


def test_a_sure_first_camera_is_not_believed_against_all_others(gallery, localizer, rig):
    """Three cameras see another place than it: alone it would be published."""
    images = seen_by(gallery, body_pose(20), mounts(4))
    other = seen_by(gallery, body_pose(110), mounts(4))
    assert localizer.localize(images[0].image, CAMERA).is_localized
    found = rig.localize([images[0], *other[1:]])
    assert_right(found, body_pose(110))


def test_cameras_that_see_different_things_add_up(gallery, localizer, rig):
    """Two that look the same way would halve the variance; these fix what one leaves open."""
    images = seen_by(gallery, body_pose(30), mounts(2))
    together = rig.localize(images).estimate.covariance
    for image in images:
        alone = localizer.localize(image.image, CAMERA).estimate.covariance
        assert np.trace(together[:3, :3]) < 0.5 * np.trace(alone[:3, :3])


def test_a_camera_that_sees_nothing_does_no_harm(gallery, rig):
    truth = body_pose(110)
    images = seen_by(gallery, truth, mounts(2))
    assert_right(rig.localize([images[0], replace(images[1], image=BLACK)]), truth, 0.06)
    assert_right(rig.localize([replace(images[0], image=BLACK), images[1]]), truth, 0.06)
    alone = rig.localize([images[0], replace(images[1], image=BLACK)]).estimate
    assert (alone.evidence.images, rig.localize(images).estimate.evidence.images) == (1, 2)


def test_nothing_is_published_where_no_camera_sees_anything(gallery, rig):
    images = [replace(i, image=BLACK) for i in seen_by(gallery, body_pose(0), mounts(2))]
    assert not rig.localize(images).is_localized


def test_cameras_that_show_different_places_are_not_believed_together(gallery, rig):
    """Extrinsics that are plainly wrong: by half a turn."""
    images = seen_by(gallery, body_pose(200), mounts(2))
    swapped = replace(images[1], T_body_camera=images[0].T_body_camera)
    found = rig.localize([images[0], swapped])
    if found.is_localized:  # by one of them: then it is that camera's pose
        error = min(
            pose_error(found.T_map_camera, body_pose(200) @ mount).translation
            for mount in mounts(2)
        )
        assert error < 0.1


def test_rigs_that_hang_turned_are_found(gallery, rig):
    truth = body_pose(290)
    assert_right(rig.localize(seen_by(gallery, truth, mounts(2, roll=90.0))), truth)


@pytest.mark.parametrize("roll", [90.0, 180.0])
def test_rigs_that_hang_turned_are_found_at_once_where_up_is_known(roll, gallery, rig, monkeypatch):
    monkeypatch.delattr(RigLocalizer, "_by_one_image")
    truth = body_pose(20)
    images = [
        replace(image, up_in_camera=(truth @ image.T_body_camera)[2, :3])
        for image in seen_by(gallery, truth, mounts(2, roll))
    ]
    assert_right(rig.localize(images), truth)


def test_images_of_any_size_make_one_rig(gallery, rig):
    truth = body_pose(20)
    first, second = seen_by(gallery, truth, mounts(2))
    cut = replace(second, image=second.image[:, 40:280], camera=CAMERA.cut(40, 0, 240, 240))
    assert_right(rig.localize([first, cut]), truth)


def test_what_is_wrong_with_an_image_is_the_reason(gallery, rig):
    first, second = seen_by(gallery, body_pose(20), mounts(2))
    found = rig.localize([first, replace(second, image=second.image[:100])])
    assert found.status is Status.INVALID_INPUT
    assert "does not fit camera intrinsics" in found.reason


def test_errors_of_extrinsics_show(gallery, rig):
    wrong = rigid(Rotation.from_euler("y", 1.5, degrees=True).as_matrix(), np.zeros(3))
    measured = []
    for yaw in (20, 110):
        first, second = seen_by(gallery, body_pose(yaw), mounts(2))
        moved = replace(second, T_body_camera=second.T_body_camera @ wrong)
        for _ in range(2):
            found = rig.localize([first, moved])
            measured += [np.degrees(e[3:]) for e in found.estimate.mounting_errors.values()]
    assert len(measured) == 4
    sizes = np.linalg.norm(measured, axis=1)
    assert np.median(sizes) > LEAST_DEGREES
    np.testing.assert_allclose(np.median(sizes), 1.5, atol=0.5)


def nees(estimate: PoseEstimate, truth: np.ndarray) -> float:
    """The squared error of a pose in units of its covariance."""
    turn = Rotation.from_matrix(estimate.T_map_camera[:3, :3] @ truth[:3, :3].T).as_rotvec()
    off = np.concatenate([estimate.T_map_camera[:3, 3] - truth[:3, 3], turn])
    return float(off @ np.linalg.solve(estimate.covariance, off))


def test_poses_are_as_uncertain_as_the_extrinsics_of_cameras_are(gallery, localizer):
    """Each camera but the first hangs elsewhere than said, by 1 cm and half a degree each way."""
    metres, degrees, rng, means = 0.01, 0.5, np.random.default_rng(0), []
    for deviations in ((metres, degrees), (0.0, 0.0)):
        options = RigConfiguration(
            extrinsics_error_m=deviations[0], extrinsics_error_deg=deviations[1]
        )
        configuration = LocalizerConfiguration(rig=options)
        rig = RigLocalizer(
            localizer_for(localizer.scene_map, configuration, None, torch.device("cpu"))
        )
        errors = []
        for yaw in range(10, 360, 35):
            images = seen_by(gallery, body_pose(yaw), mounts(4))
            for number in (1, 2, 3):
                turn = Rotation.from_rotvec(np.radians(degrees) * rng.normal(size=3)).as_matrix()
                off = rigid(turn, metres * rng.normal(size=3))
                mount = images[number].T_body_camera @ off
                images[number] = replace(images[number], T_body_camera=mount)
            # With a prior, all cameras are looked at in full.
            found = rig.localize(images, body_pose(yaw))
            errors.append(nees(found.estimate, body_pose(yaw)))
        means.append(np.mean(errors))
    low, high = chi2.ppf([0.025, 0.975], 60) / 10  # of the mean of ten moments
    assert low < means[0] < high
    assert means[1] > 5 * high


def test_images_of_before_count_with_the_drift_of_odometry(gallery, rig):
    now, before = body_pose(60), body_pose(45)
    drift = OdometryNoise().covariances(np.array([0.5]), np.array([0.3]), np.array([1.0]))[0]
    images = [
        RigImage(gallery.render(now).image, CAMERA, np.eye(4)),
        RigImage(gallery.render(before).image, CAMERA, np.linalg.inv(now) @ before),
    ]
    mounted = rig.localize(images)
    exact, drifted = (
        rig.localize([images[0], replace(images[1], odometry_covariance=known)])
        for known in (np.zeros((6, 6)), drift)
    )
    assert_right(exact, now)
    added = np.diag(drifted.estimate.covariance - exact.estimate.covariance)
    share = added / np.diag(drift)
    np.testing.assert_allclose(share, share[0], rtol=1e-3)
    assert 0.1 < share[0] < 0.9
    assert mounted.estimate.mounting_errors and not drifted.estimate.mounting_errors
