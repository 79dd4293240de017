"""cv_bridge and tf_transformations where they are installed, and the same without them.

Results do not depend on what is installed. Each library is asked about samples once, and used for
that alone in which it says the same as this package (rotations: to 1e-12). Everything else is done
by `images.encodings` and `geometry.se3`, as on a machine that has neither. Where they differ, ours
win, since images that robots send would be refused or come out wrong:

=============================== ================================== ===============================
image or pose                   the library                        ours
=============================== ================================== ===============================
rgb16, mono16, bayer_rggb16, …  255/65535 of it: black where 10    the upper 8 of the bits in use
                                or 12 bits are in use
8UC1, 8UC3, 16UC3, …            refuses: not a colour              as OpenCV stores it: grey, BGR
nv12, nv21, uyvy, yuyv          does not know it                   decoded
rows padded by part of a pixel  shears the image, without error    cut off
last row without its padding    TypeError                          decoded
is_bigendian                    fails with NumPy 2                 decoded
compressed, 16 bits or grey     fails, or keeps 16 bits            decoded, as 8 bits and RGB
compressed, of any size         decoded                            refused above 64 megapixels
quaternion of zero length       the identity                       InputError
quaternion that is not finite   a matrix of nan                    InputError
=============================== ================================== ===============================

Compressed images are therefore never given to cv_bridge. Colours of Bayer and YUV images may round
differently in the OpenCV that cv_bridge was built with: the samples show that, too.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sensor_msgs.msg import Image

from dense_reloc_ros.geometry.arrays import FloatArray, RgbImage
from dense_reloc_ros.geometry.se3 import check_quaternion, from_quaternion, rigid, to_quaternion
from dense_reloc_ros.images.encodings import RAW_ENCODINGS, decode_raw

SAMPLE_SIDE = 16
"""Pixels of the images that cv_bridge is asked about."""
SAME_ROTATION = 1e-12


class RosLibraries:
    """Conversions by `cv_bridge.CvBridge` and the module `tf_transformations`, each if given."""

    def __init__(self, bridge: Any | None = None, transformations: Any | None = None) -> None:
        self._bridge = bridge
        self._transformations = transformations
        self.encodings: frozenset[str] = frozenset()
        """Of images that cv_bridge decodes."""
        self.encodes = bridge is not None and _encodes_alike(bridge)
        """Whether cv_bridge encodes images."""
        if bridge is not None:
            self.encodings = frozenset(one for one in RAW_ENCODINGS if _decodes_alike(bridge, one))
        self.rotates = transformations is not None and _rotates_alike(transformations)
        """Whether tf_transformations converts rotations."""

    def decode(self, message: Image) -> RgbImage:
        """The RGB image (H, W, 3) in a message.

        Raises:
            InputError: an empty image, an unknown encoding, or data that contradict their size.
        """
        if self._bridge is not None and message.encoding in self.encodings and _is_plain(message):
            return np.asarray(self._bridge.imgmsg_to_cv2(message, "rgb8"))
        return decode_raw(message)

    def encode(self, image: NDArray[np.uint8]) -> Image:
        """An RGB image (H, W, 3) as an rgb8 message without header."""
        if self._bridge is not None and self.encodes:
            return self._bridge.cv2_to_imgmsg(np.ascontiguousarray(image), "rgb8")
        return _encode(image)

    def pose(self, translation: FloatArray, quaternion: FloatArray) -> FloatArray:
        """The pose (4, 4) of a translation in metres and a quaternion (x, y, z, w) of any length.

        Raises:
            InputError: values that are not finite, or a zero quaternion.
        """
        if not self.rotates:
            return from_quaternion(translation, quaternion)
        check_quaternion(translation, quaternion)
        return rigid(_rotation(self._transformations, quaternion), translation)

    def quaternion(self, pose: FloatArray) -> FloatArray:
        """The rotation of a pose (4, 4) as (x, y, z, w) with w >= 0."""
        return _quaternion(self._transformations, pose) if self.rotates else to_quaternion(pose)


def installed_libraries() -> RosLibraries:
    """Those that can be imported here."""
    bridge, transformations = _module("cv_bridge"), _module("tf_transformations")
    return RosLibraries(None if bridge is None else bridge.CvBridge(), transformations)


def _module(name: str) -> Any | None:
    try:
        return import_module(name)
    except Exception:  # also one that was compiled for another NumPy
        return None


def _encode(image: NDArray[np.uint8]) -> Image:
    height, width = image.shape[:2]
    message = Image(height=height, width=width, encoding="rgb8", step=3 * width)
    message.data.frombytes(np.ascontiguousarray(image).tobytes())
    return message


def _noise(count: int) -> NDArray[np.uint8]:
    """Bytes of every kind, the same each time."""
    return np.random.default_rng(0).integers(0, 256, count, dtype=np.uint8)


def _is_plain(message: Image) -> bool:
    """Whether an image is packed as those are that cv_bridge was asked about."""
    pixel_bytes = np.prod(RAW_ENCODINGS[message.encoding][:2])
    is_packed = message.step == message.width * pixel_bytes and not message.is_bigendian
    is_whole = len(message.data) == message.step * message.height > 0
    return bool(is_packed and is_whole and message.width % 2 == 0)  # YUV has pairs


def _decodes_alike(bridge: Any, encoding: str) -> bool:
    size, channels, _ = RAW_ENCODINGS[encoding]
    step = SAMPLE_SIDE * size * channels
    sample = Image(height=SAMPLE_SIDE, width=SAMPLE_SIDE, encoding=encoding, step=step)
    sample.data.frombytes(_noise(step * SAMPLE_SIDE).tobytes())
    try:
        decoded = np.asarray(bridge.imgmsg_to_cv2(sample, "rgb8"))
    except Exception:  # what it does not know, or an installation that does not work
        return False
    return decoded.dtype == np.uint8 and np.array_equal(decoded, decode_raw(sample))


def _encodes_alike(bridge: Any) -> bool:
    sample = _noise(SAMPLE_SIDE**2 * 3).reshape(SAMPLE_SIDE, SAMPLE_SIDE, 3)
    try:
        return bool(bridge.cv2_to_imgmsg(sample, "rgb8") == _encode(sample))
    except Exception:
        return False


def _rotates_alike(transformations: Any) -> bool:
    try:
        for sample in np.vstack([np.eye(4), -np.eye(4), _noise(80).reshape(20, 4) - 127.5]):
            pose = from_quaternion(np.zeros(3), sample)
            off = _rotation(transformations, sample) - pose[:3, :3]
            turned = _quaternion(transformations, pose) - to_quaternion(pose)
            if not max(np.abs(off).max(), np.abs(turned).max()) <= SAME_ROTATION:
                return False
    except Exception:
        return False
    return True


def _rotation(transformations: Any, quaternion: FloatArray) -> FloatArray:
    unit = quaternion / np.linalg.norm(quaternion)
    return np.asarray(transformations.quaternion_matrix(unit))[:3, :3]


def _quaternion(transformations: Any, pose: FloatArray) -> FloatArray:
    rotation = rigid(pose[:3, :3], np.zeros(3))
    return np.asarray(transformations.quaternion_from_matrix(rotation))
