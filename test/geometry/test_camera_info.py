"""Cameras of CameraInfo messages, with the fields REP-104 and image_pipeline define."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from dense_reloc_ros.errors import InputError
from dense_reloc_ros.geometry.camera import Camera
from dense_reloc_ros.geometry.camera_info import camera_from_info


def info(**changed: object) -> SimpleNamespace:
    fields: dict[str, object] = {
        "width": 640,
        "height": 480,
        "distortion_model": "plumb_bob",
        "d": [0.1, -0.2, 0.001, 0.002, 0.05],
        "k": [520.0, 0, 310, 0, 530, 245, 0, 0, 1],
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
