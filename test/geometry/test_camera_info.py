"""Cameras of CameraInfo messages, with the fields REP-104 and image_pipeline define."""

from __future__ import annotations

import math
from types import SimpleNamespace

import pytest

from dense_reloc_ros.errors import InputError
from dense_reloc_ros.geometry.camera import Camera, undistortion_maps
from dense_reloc_ros.geometry.camera_info import camera_from_info, named_rectified


def info(**changed: object) -> SimpleNamespace:
    fields: dict[str, object] = {
        "width": 640,
        "height": 480,
        "distortion_model": "plumb_bob",
        "d": [0.1, -0.2, 0.001, 0.002, 0.05],
        "k": [520.0, 0, 310, 0, 530, 245, 0, 0, 1],
        "r": [1.0, 0, 0, 0, 1, 0, 0, 0, 1],
        "p": [0.0] * 12,
        "binning_x": 0,
        "binning_y": 0,
        "roi": region(),
    }
    return SimpleNamespace(**fields | changed)


def region(x_offset: int = 0, y_offset: int = 0, width: int = 0, height: int = 0):
    return SimpleNamespace(x_offset=x_offset, y_offset=y_offset, width=width, height=height)


def test_a_whole_image_has_the_intrinsics_of_k():
    distortion = (0.1, -0.2, 0.001, 0.002, 0.05)
    expected = Camera(640, 480, 520.0, 530.0, 310.0, 245.0, "plumb_bob", distortion)
    assert camera_from_info(info()) == expected
    assert camera_from_info(info(binning_x=1, binning_y=1)) == expected


def test_no_distortion_is_told_by_zeros_or_nothing():
    for d in ([], [0.0] * 5):
        assert not camera_from_info(info(d=d)).is_distorted
    assert camera_from_info(info(distortion_model="", d=[])).distortion_model == "plumb_bob"


def test_a_region_of_interest_moves_the_principal_point():
    cut = camera_from_info(info(roi=region(100, 40, 320, 240)))
    assert (cut.width, cut.height, cut.cx, cut.cy, cut.fx) == (320, 240, 210.0, 205.0, 520.0)
    assert len(cut.distortion) == 5


def test_binning_averages_pixels_so_that_centres_lie_between_them():
    binned = camera_from_info(info(binning_x=2, binning_y=2))
    # Binned pixel 0 covers pixels 0 and 1, whose centre is 0.5.
    assert (binned.width, binned.height, binned.fx, binned.fy) == (320, 240, 260.0, 265.0)
    assert (binned.cx, binned.cy) == ((310 - 0.5) / 2, (245 - 0.5) / 2)


def test_a_region_is_given_in_unbinned_pixels():
    both = camera_from_info(info(binning_x=2, binning_y=4, roi=region(100, 40, 320, 240)))
    assert (both.width, both.height, both.fx, both.fy) == (160, 60, 260.0, 132.5)
    assert (both.cx, both.cy) == ((210 - 0.5) / 2, (205 - 1.5) / 4)


def test_pixels_that_fill_no_bin_are_left_out():
    odd = camera_from_info(info(width=641, height=483, binning_x=2, binning_y=2))
    assert (odd.width, odd.height, odd.fx, odd.fy) == (320, 241, 260.0, 265.0)
    assert (odd.cx, odd.cy) == ((310 - 0.5) / 2, (245 - 0.5) / 2)


def test_an_uncalibrated_camera_is_refused():
    with pytest.raises(InputError, match="uncalibrated"):
        camera_from_info(info(k=[0.0] * 9))


P = [400.0, 0, 320, 0, 0, 410, 240, 0, 0, 0, 1, 0]


def test_rectified_images_have_the_intrinsics_of_p_and_no_distortion():
    assert camera_from_info(info(p=P), rectified=True) == Camera(640, 480, 400.0, 410.0, 320, 240)
    assert camera_from_info(info(p=P)).fx == 520.0
    binned = camera_from_info(info(p=P, binning_x=2, binning_y=2), rectified=True)
    assert (binned.fx, binned.cx) == (200.0, (320 - 0.5) / 2)


def test_rectified_images_without_p_have_the_intrinsics_of_k():
    assert camera_from_info(info(), rectified=True) == Camera(640, 480, 520.0, 530.0, 310, 245)


def test_raw_images_of_a_stereo_pair_are_turned_by_r():
    angle = 0.02
    R = [math.cos(angle), 0, math.sin(angle), 0, 1, 0, -math.sin(angle), 0, math.cos(angle)]
    camera = camera_from_info(info(r=R, d=[], p=P))
    assert camera.is_distorted and not camera.pinhole().is_distorted
    # A ray straight ahead of the rectified camera has the direction R^T z in the lens's frame.
    x = 520.0 * -math.tan(angle) + 310
    map_x, map_y = undistortion_maps(camera)
    assert map_x[245, 310] == pytest.approx(x, abs=1e-3)
    assert map_y[245, 310] == pytest.approx(245, abs=1e-3)


@pytest.mark.parametrize("r", [[], [0.0] * 9])
def test_no_rectification_is_told_by_zeros_or_nothing(r):
    assert camera_from_info(info(r=r)).rectification == ()


@pytest.mark.parametrize("r", [[2.0, 0, 0, 0, 1, 0, 0, 0, 1], [math.nan] * 9, [1.0, 0]])
def test_a_rectification_that_is_no_rotation_is_refused(r):
    with pytest.raises(InputError, match="not a rotation"):
        camera_from_info(info(r=r))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("/camera/image_rect", True),
        ("/stereo/left/image_rect_color/compressed", True),
        ("/zed/rectified/left", True),
        ("/camera/image_raw", False),
        ("/camera/direct/image", False),
        ("/camera/unrectified/image", False),
    ],
)
def test_topics_say_that_images_are_rectified(name, expected):
    assert named_rectified(name) is expected


@pytest.mark.parametrize(
    ("model", "d", "expected", "count"),
    [
        ("none", [0.0], "plumb_bob", 0),
        ("None", [], "plumb_bob", 0),
        ("pinhole", [0.0] * 7, "plumb_bob", 0),
        ("magic", [0.0] * 3, "plumb_bob", 0),
        ("radtan", [0.1, -0.2, 0.001, 0.002], "plumb_bob", 4),
        ("fisheye", [0.1, -0.2, 0.03, 0.004], "equidistant", 4),
        ("Kannala-Brandt4", [0.1, -0.2, 0.03, 0.004], "equidistant", 4),
        ("plumb_bob", [0.1] * 8, "plumb_bob", 8),
        ("rational_polynomial", [0.1] * 5, "rational_polynomial", 5),
    ],
)
def test_models_have_the_names_of_other_software(model, d, expected, count):
    camera = camera_from_info(info(distortion_model=model, d=d))
    assert (camera.distortion_model, len(camera.distortion)) == (expected, count)


def test_a_model_that_says_none_does_not_go_with_coefficients():
    with pytest.raises(InputError, match="'none' does not go with coefficients"):
        camera_from_info(info(distortion_model="none"))
