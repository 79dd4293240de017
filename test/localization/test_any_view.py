"""Images of any roll, size and focal length, in a rendered room."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from gallery import CAMERA, looking, rolled

from dense_reloc_ros.geometry.camera import Camera
from dense_reloc_ros.geometry.se3 import pose_error

TRUTH = looking(20, distance=0.45, height=1.25, pitch=4.0)


def is_right(localizer, image: np.ndarray, camera: Camera, truth: np.ndarray, **prior) -> bool:
    localization = localizer.localize(image, camera, **prior)
    assert localization.is_localized, localization.reason
    error = pose_error(localization.T_map_camera, truth)
    return error.translation < 0.06 and error.rotation < np.radians(1.5)


def test_an_upright_image_that_is_sure_costs_one_extraction(gallery, localizer):
    assert is_right(localizer, gallery.render(TRUTH).image, CAMERA, TRUTH)
    assert localizer.extractor.sizes == [(CAMERA.height, CAMERA.width)]


@pytest.mark.parametrize("degrees", [60, 90, 180, 270, 315])
def test_images_of_any_roll_are_localized(degrees, gallery, localizer):
    truth = rolled(degrees, TRUTH)
    assert is_right(localizer, gallery.render(truth).image, CAMERA, truth)
    assert len(localizer.extractor.sizes) <= 9


@pytest.mark.parametrize("nearer", [1.4, 1.6])
@pytest.mark.parametrize("degrees", [0, 90])
def test_close_ups_are_localized(nearer, degrees, gallery, localizer):
    """Things look 2.1 and 2.5 times as large as in any keyframe."""
    truth = rolled(degrees, looking(20, distance=0.45 - nearer, height=1.25, pitch=4.0))
    assert is_right(localizer, gallery.render(truth).image, CAMERA, truth)


def test_a_prior_tells_the_roll_without_a_search(gallery, localizer):
    truth = rolled(180, TRUTH)
    prior = rolled(170, looking(25, distance=0.4))
    image = gallery.render(truth).image
    assert is_right(localizer, image, CAMERA, truth, prior_T_map_camera=prior)
    assert len(localizer.extractor.sizes) == 1


@pytest.mark.parametrize("degrees", [90, 180, 265])
def test_the_direction_up_tells_the_roll_without_a_search(degrees, gallery, localizer):
    truth = rolled(degrees, TRUTH)
    image = gallery.render(truth).image
    assert is_right(localizer, image, CAMERA, truth, up_in_camera=truth[2, :3])
    assert len(localizer.extractor.sizes) == 1


@pytest.mark.parametrize("zoom", [0.5, 2.0, 4.0])
def test_images_of_other_focal_lengths_are_looked_at_as_the_map_was(zoom, gallery, localizer):
    size = CAMERA if zoom < 1 else CAMERA.scaled(round(zoom * 320), round(zoom * 240))
    camera = replace(size, fx=zoom * 260.0, fy=zoom * 260.0)
    image = gallery.render_with(camera, TRUTH).image
    assert is_right(localizer, image, camera, TRUTH)
    (height, width), *more = localizer.extractor.sizes
    assert not more
    assert height * width <= 1.32 * CAMERA.height * CAMERA.width


def test_features_are_handed_on_with_the_camera_that_they_are_of(gallery, localizer):
    truth = rolled(90, TRUTH)
    localization = localizer.localize(gallery.render(truth).image, CAMERA)
    view, estimate = localization.view, localization.estimate
    assert (view.camera.width, view.camera.height) == (CAMERA.height, CAMERA.width)
    points = localizer.scene_map.points.numpy()[estimate.supporting_points]
    T_map_view = truth @ view.T_camera_view
    seen = (points - T_map_view[:3, 3]) @ T_map_view[:3, :3] @ view.camera.matrix.T
    pixels = seen[:, :2] / seen[:, 2:]
    inside = (pixels > 0).all(1) & (pixels < (view.camera.width, view.camera.height)).all(1)
    assert inside.mean() > 0.95
    # Upright in the view: the map's up is at the image's top.
    np.testing.assert_allclose(T_map_view[:3, 1], [0, 0, -1], atol=0.1)
