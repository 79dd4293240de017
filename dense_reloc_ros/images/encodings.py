"""Pixels of sensor_msgs/Image and CompressedImage as RGB arrays, from plain values (no ROS)."""

from __future__ import annotations

import struct
from io import BytesIO
from typing import Any, Protocol, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dense_reloc_ros.errors import InputError
from dense_reloc_ros.geometry.arrays import DepthImage, RgbImage
from dense_reloc_ros.images.bit_depth import eight_bits
from dense_reloc_ros.images.rvl import decode_rvl

# Encoding: bytes of a channel, channels, and the OpenCV conversion to RGB (None: it is RGB).
# The names are those of sensor_msgs/image_encodings.hpp; OpenCV's own (8UC3) mean BGR, as in
# cv_bridge. Infrared and other single channels become grey.
RAW_ENCODINGS: dict[str, tuple[int, int, int | None]] = {
    "rgb8": (1, 3, None),
    "bgr8": (1, 3, cv2.COLOR_BGR2RGB),
    "8UC3": (1, 3, cv2.COLOR_BGR2RGB),
    "rgba8": (1, 4, cv2.COLOR_RGBA2RGB),
    "bgra8": (1, 4, cv2.COLOR_BGRA2RGB),
    "8UC4": (1, 4, cv2.COLOR_BGRA2RGB),
    "mono8": (1, 1, cv2.COLOR_GRAY2RGB),
    "8UC1": (1, 1, cv2.COLOR_GRAY2RGB),
    "rgb16": (2, 3, None),
    "bgr16": (2, 3, cv2.COLOR_BGR2RGB),
    "16UC3": (2, 3, cv2.COLOR_BGR2RGB),
    "rgba16": (2, 4, cv2.COLOR_RGBA2RGB),
    "bgra16": (2, 4, cv2.COLOR_BGRA2RGB),
    "16UC4": (2, 4, cv2.COLOR_BGRA2RGB),
    "mono16": (2, 1, cv2.COLOR_GRAY2RGB),
    "bayer_rggb8": (1, 1, cv2.COLOR_BayerRGGB2RGB),
    "bayer_bggr8": (1, 1, cv2.COLOR_BayerBGGR2RGB),
    "bayer_gbrg8": (1, 1, cv2.COLOR_BayerGBRG2RGB),
    "bayer_grbg8": (1, 1, cv2.COLOR_BayerGRBG2RGB),
    "bayer_rggb16": (2, 1, cv2.COLOR_BayerRGGB2RGB),
    "bayer_bggr16": (2, 1, cv2.COLOR_BayerBGGR2RGB),
    "bayer_gbrg16": (2, 1, cv2.COLOR_BayerGBRG2RGB),
    "bayer_grbg16": (2, 1, cv2.COLOR_BayerGRBG2RGB),
    "uyvy": (1, 2, cv2.COLOR_YUV2RGB_UYVY),
    "yuv422": (1, 2, cv2.COLOR_YUV2RGB_UYVY),
    "yuyv": (1, 2, cv2.COLOR_YUV2RGB_YUYV),
    "yuv422_yuy2": (1, 2, cv2.COLOR_YUV2RGB_YUYV),
}
DEPTH_ENCODINGS: dict[str, np.dtype[Any]] = {
    "16UC1": np.dtype(np.uint16),
    "mono16": np.dtype(np.uint16),
    "32FC1": np.dtype(np.float32),
}
PLANAR_ENCODINGS = {"nv12": cv2.COLOR_YUV2RGB_NV12, "nv21": cv2.COLOR_YUV2RGB_NV21}
"""YUV 4:2:0, with half as many rows of colours behind the rows of brightness."""
COMPRESSED_DEPTH_HEADER = struct.Struct("<iff")
"""Of compressed_depth_image_transport: its code, and how float depth is quantized (A, B)."""
RVL_SIZE = struct.Struct("<II")
"""Columns and rows, before the stream."""
MOST_PIXELS = 1 << 26
"""Of what is compressed: a few bytes can stand for any number of pixels."""
SIZED_FORMATS = ("JPEG", "PNG", "WEBP", "BMP")
"""Whose size is looked at before they are decoded."""


Bytes: TypeAlias = bytes | bytearray | memoryview | NDArray[np.uint8]


class ImageFields(Protocol):
    """The fields of sensor_msgs/Image that matter, whoever decoded it (rclpy or rosbags)."""

    encoding: str
    height: int
    width: int
    step: int
    is_bigendian: int
    data: Any


def decode_raw(image: ImageFields) -> RgbImage:
    """The RGB image (height, width, 3) in a sensor_msgs/Image.

    16-bit channels keep the upper eight of the bits that are used: sensors of 10, 12 or 14 bits
    leave the highest ones empty.

    Raises:
        InputError: an empty image, an unknown encoding, or sizes that contradict each other.
    """
    if image.encoding in PLANAR_ENCODINGS:
        return _decode_planar(image)
    if image.encoding not in RAW_ENCODINGS:
        known = ", ".join([*RAW_ENCODINGS, *PLANAR_ENCODINGS])
        raise InputError(f"unknown image encoding {image.encoding!r} (known: {known})")
    channel_bytes, channels, conversion = RAW_ENCODINGS[image.encoding]
    if conversion in (cv2.COLOR_YUV2RGB_UYVY, cv2.COLOR_YUV2RGB_YUYV) and image.width % 2:
        raise InputError(
            f"an image of encoding '{image.encoding}' cannot be {image.width} pixels wide"
        )
    pixels = _unpadded(image, np.dtype(f"u{channel_bytes}"), channels)
    if channel_bytes == 2:
        pixels = eight_bits(pixels)
    if conversion is None:
        return np.ascontiguousarray(pixels)
    return np.asarray(cv2.cvtColor(np.ascontiguousarray(pixels), conversion), dtype=np.uint8)


def _decode_planar(image: ImageFields) -> RgbImage:
    if image.width % 2 or image.height % 2:
        raise InputError(
            f"an image of encoding '{image.encoding}' has even sides, not "
            f"{image.width}x{image.height}"
        )
    pixels = _unpadded(image, np.dtype(np.uint8), 1, image.height * 3 // 2)
    return np.asarray(cv2.cvtColor(pixels, PLANAR_ENCODINGS[image.encoding]), dtype=np.uint8)


def decode_compressed(data: Bytes) -> RgbImage:
    """The RGB image (H, W, 3) of the data of a sensor_msgs/CompressedImage (JPEG, PNG, ...).

    An EXIF orientation is ignored: the intrinsics are those of the sensor's rows and columns.

    Raises:
        InputError: an empty message, bytes that are no image, or one of far too many pixels.
    """
    encoded = np.frombuffer(data, dtype=np.uint8)
    if encoded.size == 0:
        raise InputError("the compressed image is empty")
    if _is_huge(encoded):
        raise InputError(f"the compressed image has more than {MOST_PIXELS >> 20} megapixels")
    try:
        bgr = cv2.imdecode(
            encoded, cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION | cv2.IMREAD_ANYDEPTH
        )
    except cv2.error:
        bgr = None
    if bgr is not None and bgr.dtype == np.uint16:
        bgr = eight_bits(np.asarray(bgr, dtype=np.uint16))
    if bgr is None or bgr.dtype != np.uint8:
        raise InputError(f"the compressed image ({encoded.size} bytes) cannot be decoded")
    return np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), dtype=np.uint8)


def _is_huge(encoded: NDArray[np.uint8]) -> bool:
    """Whether an image says of itself that it has more than `MOST_PIXELS`."""
    try:
        with Image.open(BytesIO(encoded.tobytes()), formats=SIZED_FORMATS) as image:
            return image.width * image.height > MOST_PIXELS
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        return True
    except (OSError, SyntaxError, ValueError):
        return False  # OpenCV knows more formats, and says if it is none


def decode_depth(image: ImageFields) -> DepthImage:
    """Depth (height, width) in metres, 0 where unknown (REP-118: 16UC1 millimetres, 32FC1 metres).

    Raises:
        InputError: an empty image, an encoding that is no depth, or sizes that contradict.
    """
    if image.encoding not in DEPTH_ENCODINGS:
        known = ", ".join(DEPTH_ENCODINGS)
        raise InputError(
            f"'{image.encoding}' is not the encoding of a depth image (known: {known})"
        )
    dtype = DEPTH_ENCODINGS[image.encoding]
    depth = _unpadded(image, dtype, 1).astype(np.float32)
    if dtype.kind == "u":
        return depth / np.float32(1000)
    depth[~(np.isfinite(depth) & (depth > 0))] = 0
    return depth


def decode_compressed_depth(message_format: str, data: Bytes) -> DepthImage:
    """Depth (H, W) in metres, 0 where unknown, of a CompressedImage: a 16-bit PNG, bare or behind
    the header of compressed_depth_image_transport, or that header and an RVL stream.

    16UC1 is millimetres; 32FC1 is quantized by its inverse, as the header says.

    Raises:
        InputError: bytes that are neither a 16-bit PNG of one channel nor an RVL stream.
    """
    encoded = np.frombuffer(data, dtype=np.uint8)
    if encoded[:4].tobytes() == b"\x89PNG":
        return _millimetres(_png_depth(encoded))
    if encoded.size <= COMPRESSED_DEPTH_HEADER.size:
        raise InputError(f"the compressed depth image has {encoded.size} bytes only")
    _, a, b = COMPRESSED_DEPTH_HEADER.unpack(encoded[: COMPRESSED_DEPTH_HEADER.size].tobytes())
    is_quantized = message_format.startswith("32FC1")
    if is_quantized and not a > 0:
        raise InputError(f"compressed depth of format '{message_format}' is quantized by {a}, {b}")
    content = encoded[COMPRESSED_DEPTH_HEADER.size :]
    stored = _rvl_depth(content) if "rvl" in message_format.lower() else _png_depth(content)
    if not is_quantized:
        return _millimetres(stored)
    known = (stored > 0) & (stored > b)
    metres = np.divide(a, stored - b, out=np.zeros(stored.shape), where=known)
    return np.where(np.isfinite(metres) & (metres > 0), metres, 0).astype(np.float32)


def _millimetres(depth: NDArray[np.uint16]) -> DepthImage:
    return depth.astype(np.float32) / np.float32(1000)


def _png_depth(encoded: NDArray[np.uint8]) -> NDArray[np.uint16]:
    try:
        depth = cv2.imdecode(encoded, cv2.IMREAD_UNCHANGED) if encoded.size else None
    except cv2.error:
        depth = None
    if depth is None or depth.dtype != np.uint16 or depth.ndim != 2:
        raise InputError("the compressed depth image is not a 16-bit PNG of one channel")
    return np.asarray(depth, dtype=np.uint16)


def _rvl_depth(encoded: NDArray[np.uint8]) -> NDArray[np.uint16]:
    if encoded.size < RVL_SIZE.size:
        raise InputError(f"the compressed depth image has {encoded.size} bytes only")
    columns, rows = RVL_SIZE.unpack(encoded[: RVL_SIZE.size].tobytes())
    if not 0 < columns * rows <= MOST_PIXELS:
        raise InputError(f"the compressed depth image cannot be {columns}x{rows}")
    return decode_rvl(encoded[RVL_SIZE.size :], columns * rows).reshape(rows, columns)


def _unpadded(
    image: ImageFields, dtype: np.dtype[Any], channels: int, rows: int | None = None
) -> NDArray[Any]:
    """The pixels (rows, width[, channels]) of rows that are `step` bytes long; `height` of them,
    unless there are more."""
    height, width = image.height if rows is None else rows, image.width
    if height <= 0 or width <= 0:
        raise InputError(f"the image is empty ({width}x{height})")
    row_bytes = width * channels * dtype.itemsize
    if image.step < row_bytes:
        raise InputError(
            f"rows of {image.step} bytes are too short for {width} pixels of encoding "
            f"'{image.encoding}'"
        )
    content = np.frombuffer(image.data, dtype=np.uint8)
    # Some drivers leave out the padding of the last row.
    needed = image.step * (height - 1) + row_bytes
    if content.size < needed:
        raise InputError(
            f"an image of {width}x{image.height} in encoding '{image.encoding}' has "
            f"{content.size} bytes of data instead of {image.step * height}"
        )
    unpadded = np.lib.stride_tricks.as_strided(
        content[:needed], shape=(height, row_bytes), strides=(image.step, 1), writeable=False
    )
    shape = (height, width) if channels == 1 else (height, width, channels)
    ordered = dtype.newbyteorder(">" if image.is_bigendian else "<")
    return np.ascontiguousarray(unpadded).view(ordered).reshape(shape)
