"""Image files, whole and damaged."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from dense_reloc_ros.errors import InputError
from dense_reloc_ros.images.image_file import read_depth, read_rgb


def test_rgb_is_in_that_order(tmp_path):
    pixels = np.zeros((4, 6, 3), np.uint8)
    pixels[..., 0] = 200
    pixels[1, 2] = (1, 2, 3)
    Image.fromarray(pixels).save(tmp_path / "image.png")
    np.testing.assert_array_equal(read_rgb(tmp_path / "image.png"), pixels)


def test_grey_images_get_three_channels(tmp_path):
    Image.fromarray(np.full((4, 6), 7, np.uint8)).save(tmp_path / "grey.png")
    np.testing.assert_array_equal(read_rgb(tmp_path / "grey.png"), np.full((4, 6, 3), 7))


@pytest.mark.parametrize("bits", [10, 12, 16])
def test_grey_images_of_16_bits_keep_the_upper_eight_of_the_used_ones(tmp_path, bits):
    eight = np.array([[0, 7, 128], [200, 254, 255]], np.uint16)
    Image.fromarray(eight << (bits - 8)).save(tmp_path / "grey.png")
    read = read_rgb(tmp_path / "grey.png")
    assert read.dtype == np.uint8
    np.testing.assert_array_equal(read, np.repeat(eight[..., None], 3, axis=2))


def test_depth_is_in_metres_and_zero_where_unknown(tmp_path):
    millimetres = np.array([[0, 1, 1500], [65534, 65535, 250]], np.uint16)
    Image.fromarray(millimetres).save(tmp_path / "depth.png")
    depth = read_depth(tmp_path / "depth.png")
    assert depth.dtype == np.float32
    np.testing.assert_allclose(depth, [[0, 0.001, 1.5], [65.534, 0, 0.25]], rtol=1e-6)


def test_eight_bit_depth_is_refused(tmp_path):
    Image.fromarray(np.zeros((4, 6), np.uint8)).save(tmp_path / "depth.png")
    with pytest.raises(InputError, match=r"depth.png: a depth image has one channel of 16 bits"):
        read_depth(tmp_path / "depth.png")


@pytest.mark.parametrize("suffix", ["jpg", "png"])
@pytest.mark.parametrize("kept", [0.0, 0.1, 0.5, 0.95])
def test_truncated_files_are_refused(tmp_path, suffix, kept):
    path = tmp_path / f"image.{suffix}"
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (40, 60, 3), np.uint8)).save(path)
    content = path.read_bytes()
    path.write_bytes(content[: int(kept * len(content))])
    with pytest.raises(InputError, match=rf"image.{suffix}: not a readable image"):
        read_rgb(path)


def test_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r"absent.png: no such file"):
        read_rgb(tmp_path / "absent.png")
