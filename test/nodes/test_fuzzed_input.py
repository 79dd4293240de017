"""Whatever comes on the camera's topics: one line of reason, and never a crash.

By hand more: DENSE_RELOC_FUZZ=20000.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scene.small_map import make_map

pytest.importorskip("sensor_msgs.msg", reason="the messages of ROS are not installed")
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from dense_reloc_ros.configuration import LocalizerConfiguration
from dense_reloc_ros.errors import RelocError
from dense_reloc_ros.geometry.camera import DISTORTION_LENGTHS
from dense_reloc_ros.geometry.camera_info import camera_from_info
from dense_reloc_ros.images.encodings import RAW_ENCODINGS
from dense_reloc_ros.localization.localizer import Localizer, PoseCandidates, PreparedImage
from dense_reloc_ros.localization.result import Status
from dense_reloc_ros.nodes.conversions import image_from_message

pytestmark = pytest.mark.filterwarnings("error")
fuzzing = settings(max_examples=int(os.environ.get("DENSE_RELOC_FUZZ", "100")), deadline=None)
WIDTH, HEIGHT = 64, 48
GOOD_K = (50.0, 0.0, 31.5, 0.0, 51.0, 23.5, 0.0, 0.0, 1.0)


class Seeing(Localizer):
    """Does with an image what all methods do first."""

    def __init__(self) -> None:
        super().__init__(make_map(), LocalizerConfiguration(), torch.device("cpu"), "seeing")

    def estimate(self, query: PreparedImage, prior: Any) -> PoseCandidates:
        assert query.image.dtype == np.uint8
        assert query.image.shape == (query.camera.height, query.camera.width, 3)
        return PoseCandidates([])


LOCALIZER = Seeing()


def outcome(image: Image | CompressedImage, info: CameraInfo) -> str:
    """What the node does with a frame until its method begins; the reason, empty where none is."""
    try:
        pixels, camera = image_from_message(image), camera_from_info(info)
        localization = LOCALIZER.localize(pixels, camera)
    except RelocError as error:
        reason = str(error)
    else:
        is_input = localization.status is Status.INVALID_INPUT
        reason = localization.reason if is_input else ""
    assert "\n" not in reason
    return reason


def good_info(**changes: Any) -> CameraInfo:
    info = CameraInfo(width=WIDTH, height=HEIGHT, distortion_model="plumb_bob")
    info.k = list(GOOD_K)
    for name, value in changes.items():
        setattr(info, name, value)
    return info


def good_image() -> Image:
    return Image(width=WIDTH, height=HEIGHT, encoding="rgb8", step=3 * WIDTH, data=bytes(9216))


unsigned = st.one_of(st.integers(0, 100), st.integers(0, 2**32 - 1))
numbers = st.floats(width=64)
sane = st.floats(-10, 10)


@fuzzing
@given(
    width=unsigned,
    height=unsigned,
    step=unsigned,
    encoding=st.one_of(st.sampled_from(list(RAW_ENCODINGS)), st.text(max_size=12)),
    is_bigendian=st.integers(0, 255),
    data=st.binary(max_size=4000),
)
def test_any_image_is_read_or_refused(width, height, step, encoding, is_bigendian, data):
    try:
        encoding.encode()
    except UnicodeEncodeError:
        return  # cannot be sent
    image = Image(width=width, height=height, step=step, encoding=encoding)
    image.is_bigendian, image.data = is_bigendian, data
    outcome(image, good_info())
    outcome(image, good_info(width=width, height=height))


@fuzzing
@given(
    width=st.integers(32, 80),
    height=st.integers(32, 80),
    encoding=st.sampled_from(list(RAW_ENCODINGS)),
    padding=st.integers(0, 5),
    seed=st.integers(0, 9),
)
def test_images_of_every_size_and_encoding_are_read(width, height, encoding, padding, seed):
    step = 8 * width + padding
    data = np.random.default_rng(seed).integers(0, 256, 2 * step * height, np.uint8)
    image = Image(width=width, height=height, step=step, encoding=encoding, data=data.tobytes())
    reason = outcome(image, good_info(width=width, height=height))
    subsampled = any(name in encoding for name in ("yuv", "uyvy", "yuyv", "nv"))
    odd = subsampled and (width % 2 or height % 2)
    assert odd or not reason


@fuzzing
@given(
    width=st.one_of(st.just(WIDTH), unsigned),
    height=st.one_of(st.just(HEIGHT), unsigned),
    model=st.one_of(st.sampled_from(list(DISTORTION_LENGTHS)), st.text(max_size=12)),
    d=st.one_of(st.lists(sane, max_size=14), st.lists(numbers, max_size=14)),
    k=st.one_of(st.just(list(GOOD_K)), st.lists(numbers, min_size=9, max_size=9)),
    p=st.lists(numbers, min_size=12, max_size=12),
    r=st.lists(numbers, min_size=9, max_size=9),
    binning=st.tuples(unsigned, unsigned),
    roi=st.tuples(unsigned, unsigned, unsigned, unsigned),
)
def test_any_camera_info_is_understood_or_refused(width, height, model, d, k, p, r, binning, roi):
    try:
        model.encode()
    except UnicodeEncodeError:
        return  # cannot be sent
    info = good_info(width=width, height=height, distortion_model=model, d=d, k=k, p=p, r=r)
    outcome(good_image(), info)
    info.binning_x, info.binning_y = binning
    info.roi.x_offset, info.roi.y_offset, info.roi.width, info.roi.height = roi
    outcome(good_image(), info)


def encoded(ending: str) -> bytes:
    pixels = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
    return cv2.imencode(ending, pixels)[1].tobytes()


ENCODED = {ending: encoded(ending) for ending in (".jpg", ".png", ".bmp", ".tiff", ".webp")}


def overwritten(content: bytes, changes: dict[float, bytes]) -> bytes:
    changed = bytearray(content)
    for share, value in changes.items():
        begin = int(share * len(changed))
        changed[begin : begin + len(value)] = value
    return bytes(changed)


changes = st.dictionaries(
    st.one_of(st.floats(0, 1, exclude_max=True), st.floats(0, 0.02)),
    st.binary(min_size=1, max_size=4),
    max_size=4,
)


@fuzzing
@given(
    ending=st.sampled_from(list(ENCODED)),
    change=st.one_of(
        st.floats(0, 1).map(lambda share: lambda data: data[: int(share * len(data))]),
        changes.map(lambda values: lambda data: overwritten(data, values)),
        st.binary(max_size=200).map(lambda other: lambda data: other),
    ),
)
def test_any_compressed_image_is_read_or_refused(
    ending: str, change: Callable[[bytes], bytes]
) -> None:
    outcome(CompressedImage(format="jpeg", data=change(ENCODED[ending])), good_info())


def test_a_small_message_that_would_be_a_huge_image_is_refused() -> None:
    """A PNG of 60000 x 60000 pixels, 10.8 GB, says so in its first bytes."""
    content = bytearray(ENCODED[".png"])
    content[16:24] = (60_000).to_bytes(4, "big") * 2
    content[29:33] = zlib.crc32(content[12:29]).to_bytes(4, "big")
    reason = outcome(CompressedImage(format="png", data=bytes(content)), good_info())
    assert reason == "the compressed image has more than 64 megapixels"
