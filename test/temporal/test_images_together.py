"""Images of a camera with odometry, each of which is lost alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from gallery import CAMERA, Gallery, looking

from dense_reloc_ros.features.extractor import DenseFeatures
from dense_reloc_ros.geometry.odometry_noise import drifting_odometry
from dense_reloc_ros.geometry.se3 import pose_error, rigid
from dense_reloc_ros.images.light_levels import LEVELS, degrade
from dense_reloc_ros.localization.result import Localization, Status
from dense_reloc_ros.localization.rig_images import SeenImage
from dense_reloc_ros.localization.sparse_to_dense import SparseToDenseLocalizer
from dense_reloc_ros.retrieval.ranked_keyframes import RankedKeyframes
from dense_reloc_ros.temporal.fused_frames import LocalizedFrame
from dense_reloc_ros.temporal.fusion_configuration import TemporalConfiguration
from dense_reloc_ros.temporal.recent_images import RecentImages
from dense_reloc_ros.temporal.temporal_localizer import TemporalLocalizer

SECOND = 1_000_000_000
DARK = replace(LEVELS["dark"], covered=0.0)
NOWHERE = RankedKeyframes.none()
IMAGE = SeenImage(CAMERA, np.eye(4), DenseFeatures({}, torch.zeros(1, 1)), NOWHERE)


def at(x: float) -> np.ndarray:
    return rigid(np.eye(3), np.array([x, 0.0, 0.0]))


def remembered(*places: float) -> RecentImages:
    """The images of a camera that was at these places, a second apart."""
    recent = RecentImages(TemporalConfiguration())
    for second, x in enumerate(places):
        here = recent.reach(second * SECOND, at(x))
        if here is not None:
            recent.add(IMAGE, here)
    return recent


def test_images_are_kept_some_way_apart_and_seen_from_where_the_camera_is():
    recent = remembered(0.0, 0.02, 0.15, 0.2, 0.4)
    here = recent.reach(5 * SECOND, at(0.7))
    assert here is not None
    seen = [image.T_body_view[0, 3] for image in recent.seen_from(here)]
    np.testing.assert_allclose(seen, [-0.3, -0.55, -0.7])


def test_images_that_are_not_kept_are_seen_with_those_that_are():
    recent = remembered(0.0, 0.15)
    here = recent.reach(2 * SECOND, at(0.17))
    recent.add(IMAGE, here)
    assert [image.T_body_view[0, 3] for image in recent.seen_from(here)] == pytest.approx(
        [-0.02, -0.17]
    )


def test_what_odometry_is_off_grows_with_the_way():
    recent = remembered(0.0, 1.0, 2.0)
    deviations = [
        np.sqrt(np.diag(image.odometry_covariance))
        for image in recent.seen_from(recent.reach(3 * SECOND, at(2.5)))
    ]
    near, middle, far = (one[0] for one in deviations)
    # A drift of 3% alone has 1.5, 4.5 and 7.5 cm; turns displace the end besides.
    assert 0.015 < near < 0.03
    assert 0.045 < middle < 0.09
    assert 0.075 < far < 0.16


def test_images_too_long_ago_by_way_are_left_out():
    recent = remembered(0.0, 1.0, 3.5)
    assert len(recent.seen_from(recent.reach(4 * SECOND, at(3.9)))) == 2


def test_without_odometry_there_is_nothing_to_put_together():
    recent = remembered(0.0, 1.0)
    assert recent.reach(3 * SECOND, None) is None
    assert recent.seen_from(recent.reach(4 * SECOND, at(1.5))) == []


def lost_frames(
    gallery: Gallery, localizer: SparseToDenseLocalizer, truth: list[np.ndarray], drift: float
) -> list[LocalizedFrame]:
    """Dark frames with one half covered, that are lost alone; with odometry."""
    odometry = drifting_odometry(np.stack(truth), drift, seed=1)
    frames = []
    for number, pose in enumerate(truth):
        image = degrade(gallery.render(pose).image, DARK, number)
        half = (number % 2) * (CAMERA.width // 2)
        image[:, half : half + CAMERA.width // 2] = 30
        features = localizer.localize(image, CAMERA).features
        lost = Localization(Status.NO_CANDIDATES, "made up", features=features)
        frames.append(
            LocalizedFrame(number * SECOND // 5, CAMERA, features, lost, odometry[number])
        )
    return frames


def test_images_that_are_lost_one_by_one_are_found_together(gallery, localizer):
    truth = [looking(20 + 8 * n, distance=0.3, height=1.3, pitch=2.0) for n in range(5)]
    frames = lost_frames(gallery, localizer, truth, drift=0.02)
    temporal = TemporalLocalizer(localizer, TemporalConfiguration())
    first, *fused = [temporal.fuse(frame).localization for frame in frames]
    assert not first.is_localized
    found = fused[-1]
    assert found.is_localized, found.reason
    error = pose_error(found.T_map_camera, truth[-1])
    assert error.translation < 0.06
    assert np.degrees(error.rotation) < 1.5

    alone = TemporalLocalizer(localizer, TemporalConfiguration())
    without = [alone.fuse(replace(frame, T_odom_camera=None)) for frame in frames]
    assert not any(one.localization.is_localized for one in without)


def test_a_pose_by_several_images_is_not_doubted_for_what_the_last_one_lacks(gallery, localizer):
    truth = [looking(20 + 8 * n, distance=0.3, height=1.3, pitch=2.0) for n in range(2)]
    first, lost = lost_frames(gallery, localizer, truth, drift=0.02)
    sharp = localizer.localize(gallery.render(truth[0]).image, CAMERA)
    evidence = replace(sharp.estimate.evidence, mean_gain=0.01)
    dull = replace(sharp.estimate, evidence=evidence, confidence=0.0)
    found = []
    for estimate in (None, dull):
        temporal = TemporalLocalizer(localizer, TemporalConfiguration())
        temporal._fusion = None
        temporal.fuse(replace(first, features=sharp.features, localization=sharp))
        of_frame = replace(lost.localization, estimate=estimate)
        fused = temporal.fuse(replace(lost, localization=of_frame))
        assert fused.is_fused
        assert fused.localization.is_localized
        found.append(fused.localization.estimate.covariance)
    np.testing.assert_allclose(found[1], found[0])
