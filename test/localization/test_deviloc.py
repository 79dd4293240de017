"""From an image to a pose by semi-dense matches, on maps with hardly any points."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from gallery import CAMERA, Gallery, looking
from rendered_frames import rendered_frame

from dense_reloc_ros.configuration import LocalizerConfiguration
from dense_reloc_ros.errors import MapError
from dense_reloc_ros.features.extractors import create_extractor
from dense_reloc_ros.geometry.se3 import pose_error
from dense_reloc_ros.localization.factory import localizer_for
from dense_reloc_ros.localization.result import Status
from dense_reloc_ros.mapping.builder import build_from_depth
from dense_reloc_ros.mapping.dense_describer import DenseDescriber
from dense_reloc_ros.mapping.poor_points import PoorPoints, with_poor_points
from dense_reloc_ros.parameter_blocks import block_from_mapping
from dense_reloc_ros.scene.scene_map import SceneMap

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def whole(gallery: Gallery) -> SceneMap:
    """Twice around, from two distances."""
    poses = [looking(yaw, distance) for distance in (0.3, 0.8) for yaw in range(0, 360, 20)]
    frames = [
        rendered_frame(gallery._raycaster, CAMERA, number, pose)
        for number, pose in enumerate(poses)
    ]
    extractor = create_extractor("compact", CPU)
    built = build_from_depth(frames, DenseDescriber(extractor, 200))
    return replace(built, images=lambda keyframe: frames[keyframe].load_image())


def localizer_on(scene_map: SceneMap, **parameters: object):
    configuration = block_from_mapping(LocalizerConfiguration, {"deviloc": parameters})
    return localizer_for(scene_map, configuration, "deviloc", CPU)


QUERIES = [looking(yaw, distance=0.55, height=1.3, pitch=3.0) for yaw in (10, 70, 130, 200, 300)]


@pytest.mark.parametrize("poor", [PoorPoints(), PoorPoints(0.02), PoorPoints(noise=0.1)])
def test_images_are_localized_whatever_the_points_are(gallery, whole, poor):
    localizer = localizer_on(with_poor_points(whole, poor))
    for pose in QUERIES:
        result = localizer.localize(gallery.render(pose).image, CAMERA)
        assert result.status is Status.LOCALIZED, result.reason
        error = pose_error(pose, result.T_map_camera)
        assert error.translation < 0.05
        assert error.rotation < np.radians(1.5)
        assert (np.linalg.eigvalsh(result.estimate.covariance) > 0).all()


def test_what_a_result_says_of_a_pose_is_true(gallery, whole):
    pose = QUERIES[0]
    localizer = localizer_on(whole, references=4)
    result = localizer.localize(gallery.render(pose).image, CAMERA)
    estimate = result.estimate
    assert len(estimate.keyframes) == 4
    assert list(result.stage_milliseconds) == [
        "undistort",
        "features",
        "retrieval",
        "matching",
        "pose",
    ]
    view = gallery.render(pose)
    assert estimate.depth == pytest.approx(np.median(view.depth[view.depth > 0]), rel=0.25)
    points = whole.points.numpy()[estimate.supporting_points]
    assert len(points) > 50
    local = (points - pose[:3, 3]) @ pose[:3, :3]
    pixels = CAMERA.project(local)
    assert ((pixels > -3) & (pixels < [323, 243])).all()
    columns, rows = np.clip(np.rint(pixels), 0, [319, 239]).astype(int).T
    assert np.median(np.abs(view.depth[rows, columns] - local[:, 2])) < 0.03


def test_other_focal_lengths_and_lenses_are_localized(gallery, whole):
    wide = replace(CAMERA, width=480, height=360, cx=239.5, cy=179.5, fx=420.0, fy=420.0)
    result = localizer_on(whole).localize(gallery.render_with(wide, QUERIES[1]).image, wide)
    assert result.status is Status.LOCALIZED
    assert pose_error(QUERIES[1], result.T_map_camera).translation < 0.05


def test_the_mean_of_the_paper_is_there_to_compare_with(gallery, whole):
    localizer = localizer_on(whole, aggregation="confidence", least_confidence=0.0)
    result = localizer.localize(gallery.render(QUERIES[2]).image, CAMERA)
    assert pose_error(QUERIES[2], result.estimate.T_map_camera).translation < 0.15


def test_noise_is_not_localized(whole):
    image = np.random.default_rng(0).integers(0, 255, (240, 320, 3), dtype=np.uint8)
    result = localizer_on(whole).localize(image, CAMERA)
    assert result.status in (Status.REJECTED, Status.NO_CANDIDATES)
    assert result.T_map_camera is None


def test_keyframes_without_any_points_near_give_no_pose(gallery, whole):
    nothing = replace(
        whole,
        observation_offsets=torch.zeros_like(whole.observation_offsets),
        observation_points=whole.observation_points[:0],
        observation_pixels=whole.observation_pixels[:0],
    )
    result = localizer_on(nothing).localize(gallery.render(QUERIES[0]).image, CAMERA)
    assert result.status is Status.NO_CANDIDATES


def test_maps_of_other_features_or_without_images_are_refused(whole):
    with pytest.raises(MapError, match="--store-images"):
        localizer_on(replace(whole, images=None))
    signature = whole.information.signature.model_copy(update={"network": "effnet_lite0"})
    other = replace(
        whole, information=whole.information.model_copy(update={"signature": signature})
    )
    with pytest.raises(MapError, match="needs a map with the features of 'compact'"):
        localizer_on(other)


def test_weights_for_other_features_are_told(whole, caplog):
    signature = whole.information.signature
    from dense_reloc_ros.deviloc.weights import open_point_inference

    open_point_inference(signature, CPU)
    assert "was trained with other weights" not in caplog.text
    changed = signature.model_copy(update={"weights_sha256": "00" * 32})
    open_point_inference(changed, CPU)
    assert "was trained with other weights of 'compact' than the map was built with" in caplog.text
