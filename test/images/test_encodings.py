"""Decoding against images packed by hand."""

from __future__ import annotations

import struct
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dense_reloc_ros.errors import InputError
from dense_reloc_ros.images.encodings import (
    RAW_ENCODINGS,
    decode_compressed,
    decode_compressed_depth,
    decode_depth,
    decode_raw,
)


@pytest.fixture
def rgb() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (6, 8, 3), dtype=np.uint8)


def image(encoding, height, width, step, is_bigendian, data) -> SimpleNamespace:
    return SimpleNamespace(
        encoding=encoding,
        height=height,
        width=width,
        step=step,
        is_bigendian=is_bigendian,
        data=data,
    )


def packed(pixels: np.ndarray, padding: int = 0) -> tuple[int, int, int, bytes]:
    """Height, width, step and data of pixels whose rows end in `padding` bytes."""
    rows = pixels.reshape(pixels.shape[0], -1).view(np.uint8)
    padded = np.pad(rows, ((0, 0), (0, padding)), constant_values=77)
    return pixels.shape[0], pixels.shape[1], padded.shape[1], padded.tobytes()


@pytest.mark.parametrize("padding", [0, 5])
@pytest.mark.parametrize(
    ("encoding", "channels"),
    [("rgb8", [0, 1, 2]), ("bgr8", [2, 1, 0]), ("rgba8", [0, 1, 2, 0]), ("bgra8", [2, 1, 0, 0])],
)
def test_colour_channels_come_out_as_rgb(rgb, encoding, channels, padding):
    height, width, step, data = packed(np.ascontiguousarray(rgb[..., channels]), padding)
    decoded = decode_raw(image(encoding, height, width, step, False, data))
    np.testing.assert_array_equal(decoded, rgb)
    assert decoded.flags.c_contiguous


def test_last_row_may_lack_its_padding(rgb):
    height, width, step, data = packed(rgb, 5)
    np.testing.assert_array_equal(
        decode_raw(image("rgb8", height, width, step, False, data[:-5])), rgb
    )


def test_grey_becomes_three_equal_channels(rgb):
    grey = np.ascontiguousarray(rgb[..., 0])
    height, width, step, data = packed(grey)
    decoded = decode_raw(image("mono8", height, width, step, False, data))
    np.testing.assert_array_equal(decoded, np.repeat(grey[..., None], 3, axis=2))


@pytest.mark.parametrize("order", ["<", ">"])
def test_sixteen_bits_keep_the_upper_byte(rgb, order):
    wide = (rgb.astype(np.uint16) << 8 | 37).astype(f"{order}u2")
    height, width, step, data = packed(wide)
    decoded = decode_raw(image("rgb16", height, width, step, order == ">", data))
    np.testing.assert_array_equal(decoded, rgb)


@pytest.mark.parametrize("pattern", ["rggb", "bggr", "gbrg", "grbg"])
def test_bayer_patterns_give_back_a_uniform_colour(pattern):
    colour = {"r": 200, "g": 120, "b": 30}
    tile = np.array([colour[c] for c in pattern], np.uint8).reshape(2, 2)
    height, width, step, data = packed(np.tile(tile, (4, 4)))
    decoded = decode_raw(image(f"bayer_{pattern}8", height, width, step, False, data))
    np.testing.assert_array_equal(decoded[2:-2, 2:-2].reshape(-1, 3)[0], [200, 120, 30])
    wide = np.tile(tile, (4, 4)).astype("<u2") << 8 | 99
    sixteen = image(f"bayer_{pattern}16", *packed(wide)[:3], False, wide.tobytes())
    np.testing.assert_array_equal(decode_raw(sixteen), decoded)
    assert np.ptp(decoded[2:-2, 2:-2].reshape(-1, 3), axis=0).max() == 0


@pytest.mark.parametrize(("encoding", "order"), [("uyvy", "uyvy"), ("yuv422_yuy2", "yuyv")])
def test_packed_yuv_follows_bt601(encoding, order):
    # Pure red in limited-range BT.601: Y = 82, U = 90, V = 240 (rounded).
    values = {"y": 82, "u": 90, "v": 240}
    row = np.array([values[c] for c in order] * 2, np.uint8).reshape(4, 2)
    height, width, step, data = packed(np.stack([row, row]))
    decoded = decode_raw(image(encoding, height, width, step, False, data))
    assert decoded.shape == (2, 4, 3)
    assert np.abs(decoded.astype(int) - [255, 0, 0]).max() <= 3


@pytest.mark.parametrize(("encoding", "order"), [("nv12", "uv"), ("nv21", "vu")])
def test_planar_yuv_follows_bt601(encoding, order):
    # Limited-range BT.601 again: red above, blue (Y = 41, U = 240, V = 110) below.
    colours = [{"y": 82, "u": 90, "v": 240}, {"y": 41, "u": 240, "v": 110}]
    brightness = [[c["y"]] * 4 for c in colours for _ in range(2)]
    pairs = [[c[o] for o in order] * 2 for c in colours]
    rows = np.array([*brightness, *pairs], np.uint8)
    _, width, step, data = packed(rows, padding=3)
    decoded = decode_raw(image(encoding, 4, width, step, False, data)).astype(int)
    assert decoded.shape == (4, 4, 3)
    assert np.abs(decoded[:2] - [255, 0, 0]).max() <= 3
    assert np.abs(decoded[2:] - [0, 0, 255]).max() <= 3
    with pytest.raises(InputError, match="even sides, not 4x3"):
        decode_raw(image(encoding, 3, width, step, False, data))


@pytest.mark.parametrize(
    ("encoding", "channels"),
    [("rgba16", [0, 1, 2, 0]), ("bgra16", [2, 1, 0, 0]), ("16UC3", [2, 1, 0])],
)
def test_sixteen_bit_colour_has_its_channels_in_order(rgb, encoding, channels):
    wide = (rgb[..., channels].astype("<u2") << 8) | 200
    decoded = decode_raw(
        image(encoding, *packed(np.ascontiguousarray(wide))[:3], False, wide.tobytes())
    )
    np.testing.assert_array_equal(decoded, rgb)


@pytest.mark.parametrize("encoding", sorted(RAW_ENCODINGS))
def test_every_encoding_gives_the_right_shape(encoding):
    step = 4 * 8
    decoded = decode_raw(image(encoding, 4, 4, step, False, bytes(step * 4)))
    assert (decoded.shape, decoded.dtype) == ((4, 4, 3), np.uint8)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (("rgb9", 2, 2, 6, bytes(12)), "unknown image encoding 'rgb9'.*rgb8"),
        (("rgb8", 0, 2, 6, b""), "empty"),
        (("rgb8", 2, 2, 5, bytes(12)), "rows of 5 bytes"),
        (("rgb8", 2, 2, 6, bytes(11)), "11 bytes of data instead of 12"),
        (("uyvy", 2, 3, 6, bytes(12)), "3 pixels wide"),
    ],
)
def test_contradicting_fields_are_refused(fields, message):
    encoding, height, width, step, data = fields
    with pytest.raises(InputError, match=message):
        decode_raw(image(encoding, height, width, step, False, data))


def test_compressed_images_come_out_as_rgb(rgb):
    encoded = cv2.imencode(".png", rgb[..., ::-1])[1].tobytes()
    np.testing.assert_array_equal(decode_compressed(encoded), rgb)


@pytest.mark.parametrize("bits", [10, 12, 16])
def test_compressed_images_of_16_bits_keep_the_upper_eight_of_the_used_ones(bits):
    eight = np.array([[0, 7], [128, 255]], np.uint16)
    encoded = cv2.imencode(".png", eight << (bits - 8))[1].tobytes()
    np.testing.assert_array_equal(decode_compressed(encoded), np.repeat(eight[..., None], 3, 2))


@pytest.mark.parametrize("data", [b"", b"no image at all", b"\xff\xd8\xff\xe0broken"])
def test_bytes_that_are_no_image_are_refused(data):
    with pytest.raises(InputError, match=r"empty|cannot be decoded"):
        decode_compressed(data)


@pytest.mark.parametrize("order", ["<", ">"])
def test_depth_comes_out_in_metres(order):
    millimetres = np.array([[0, 1000], [2345, 65535]], f"{order}u2")
    height, width, step, data = packed(millimetres, 3)
    depth = decode_depth(image("16UC1", height, width, step, order == ">", data))
    np.testing.assert_allclose(depth, [[0, 1], [2.345, 65.535]], rtol=1e-6)


def test_depth_in_metres_has_zeros_for_what_is_unknown():
    metres = np.array([[np.nan, np.inf], [-1, 1.5]], np.float32)
    height, width, step, data = packed(metres)
    depth = decode_depth(image("32FC1", height, width, step, False, data))
    np.testing.assert_array_equal(depth, [[0, 0], [0, 1.5]])


def test_colour_is_no_depth():
    with pytest.raises(InputError, match="'rgb8' is not the encoding of a depth image"):
        decode_depth(image("rgb8", 1, 1, 3, False, bytes(3)))


@pytest.mark.parametrize("header", [b"", bytes(12)])
def test_compressed_depth_with_and_without_header(header):
    millimetres = np.array([[0, 1234]], np.uint16)
    data = header + cv2.imencode(".png", millimetres)[1].tobytes()
    depth = decode_compressed_depth("16UC1; compressedDepth png", data)
    np.testing.assert_allclose(depth, [[0, 1.234]], rtol=1e-6)


def header(code: int, depth: float, quantization: float) -> bytes:
    """As compressed_depth_image_transport begins its messages; the parameters' meaning is its."""
    a = quantization * (quantization + 1)
    return struct.pack("<iff", code, a, 1 - a / depth)


def quantized(metres: float, depth: float = 10.0, quantization: float = 100.0) -> int:
    """The inverse depth that stands for a depth in metres."""
    a = quantization * (quantization + 1)
    return round(a / metres + 1 - a / depth)


def test_quantized_depth_comes_out_in_metres():
    stored = np.array([[0, quantized(2.0)], [quantized(0.5), quantized(7.0)]], np.uint16)
    data = header(0, 10.0, 100.0) + cv2.imencode(".png", stored)[1].tobytes()
    depth = decode_compressed_depth("32FC1; compressedDepth png", data)
    np.testing.assert_allclose(depth, [[0, 2.0], [0.5, 7.0]], rtol=2e-3)


def test_quantized_depth_without_its_parameters_is_refused():
    with pytest.raises(InputError, match="32FC1"):
        decode_compressed_depth("32FC1; compressedDepth png", bytes(20))


def rvl(depth: np.ndarray) -> bytes:
    """Wilson's encoder, statement by statement."""
    nibbles: list[int] = []

    def write(value: int) -> None:
        while True:
            nibble, value = value & 7, value >> 3
            nibbles.append(nibble | (8 if value else 0))
            if not value:
                return

    flat, at, previous = depth.ravel().tolist(), 0, 0
    while at < len(flat):
        begin = at
        while at < len(flat) and not flat[at]:
            at += 1
        write(at - begin)
        end = at
        while end < len(flat) and flat[end]:
            end += 1
        write(end - at)
        for value in flat[at:end]:
            delta, previous = value - previous, value
            write((delta << 1) ^ (delta >> 31))
        at = end
    nibbles += [0] * (-len(nibbles) % 8)
    words = [
        int("".join(f"{n:x}" for n in nibbles[i : i + 8]), 16) for i in range(0, len(nibbles), 8)
    ]
    return struct.pack(f"<{len(words)}I", *words)


@pytest.mark.parametrize("unknown", [0.0, 0.3, 1.0])
def test_depth_in_rvl_comes_out_in_metres(unknown):
    rng = np.random.default_rng(1)
    millimetres = rng.integers(1, 65536, (30, 41), dtype=np.uint16)
    millimetres[rng.random(millimetres.shape) < unknown] = 0
    data = bytes(12) + struct.pack("<II", 41, 30) + rvl(millimetres)
    depth = decode_compressed_depth("16UC1; compressedDepth rvl", data)
    np.testing.assert_allclose(depth, millimetres / 1000, rtol=1e-6)


@given(st.binary(max_size=60), st.sampled_from(["16UC1; compressedDepth rvl", "16UC1", "32FC1"]))
def test_any_bytes_are_depth_or_one_line(data, kind):
    try:
        assert decode_compressed_depth(kind, data).ndim == 2
    except InputError as error:
        assert "\n" not in str(error)
