"""Does what cv_bridge does with images, as its sources say (vision_opencv at 8b42d66, rolling).

`imgmsg_to_cv2` and `cv2_to_imgmsg` as in python/cv_bridge/core.py, conversions as in
src/cv_bridge.cpp.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from sensor_msgs.msg import Image

TYPES = {
    **dict.fromkeys(("rgb8", "bgr8"), (np.uint8, 3)),
    **dict.fromkeys(("rgba8", "bgra8"), (np.uint8, 4)),
    **dict.fromkeys(("rgb16", "bgr16"), (np.uint16, 3)),
    **dict.fromkeys(("rgba16", "bgra16"), (np.uint16, 4)),
    "mono8": (np.uint8, 1),
    "mono16": (np.uint16, 1),
    **{f"bayer_{p}8": (np.uint8, 1) for p in ("rggb", "bggr", "gbrg", "grbg")},
    **{f"bayer_{p}16": (np.uint16, 1) for p in ("rggb", "bggr", "gbrg", "grbg")},
    **dict.fromkeys(("yuv422", "yuv422_yuy2"), (np.uint8, 2)),
    **{f"8UC{n}": (np.uint8, n) for n in range(1, 5)},
    **{f"16UC{n}": (np.uint16, n) for n in range(1, 5)},
}
TO_RGB = {
    "mono": cv2.COLOR_GRAY2RGB,
    "bgr": cv2.COLOR_BGR2RGB,
    "rgba": cv2.COLOR_RGBA2RGB,
    "bgra": cv2.COLOR_BGRA2RGB,
    "yuv422": cv2.COLOR_YUV2RGB_UYVY,
    "yuv422_yuy2": cv2.COLOR_YUV2RGB_YUY2,
    "bayer_rggb": cv2.COLOR_BayerBG2RGB,
    "bayer_bggr": cv2.COLOR_BayerRG2RGB,
    "bayer_gbrg": cv2.COLOR_BayerGR2RGB,
    "bayer_grbg": cv2.COLOR_BayerGB2RGB,
}


class CvBridgeError(TypeError):
    """What cv_bridge raises."""


class CvBridge:
    """Remembers what it was asked for."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def imgmsg_to_cv2(self, img_msg: Image, desired_encoding: str = "passthrough") -> Any:
        self.asked.append(img_msg.encoding)
        if img_msg.encoding not in TYPES:
            raise CvBridgeError(f"Unrecognized image encoding [{img_msg.encoding}]")
        kind, channels = TYPES[img_msg.encoding]
        dtype = np.dtype(kind).newbyteorder(">" if img_msg.is_bigendian else "<")
        columns = int(img_msg.step / dtype.itemsize / channels)
        shape = (img_msg.height, columns) if channels == 1 else (img_msg.height, columns, channels)
        pixels = np.ndarray(shape=shape, dtype=dtype, buffer=img_msg.data)
        pixels = np.ascontiguousarray(pixels[:, : img_msg.width])
        if img_msg.is_bigendian:
            pixels = pixels.byteswap().newbyteorder()  # of NumPy 1 only
        if desired_encoding == "passthrough":
            return pixels
        assert desired_encoding == "rgb8"
        return _to_rgb(pixels, img_msg.encoding)

    def cv2_to_imgmsg(self, cvim: Any, encoding: str = "passthrough", header: Any = None) -> Image:
        self.asked.append("to rgb8")
        assert (encoding, header, cvim.dtype, cvim.shape[2]) == ("rgb8", None, np.uint8, 3)
        message = Image(height=cvim.shape[0], width=cvim.shape[1], encoding=encoding)
        message.data.frombytes(cvim.tobytes())
        message.step = len(message.data) // message.height
        return message


def _to_rgb(pixels: Any, encoding: str) -> Any:
    if encoding == "rgb8":
        return pixels.copy()
    name = encoding.removesuffix("16").removesuffix("8")
    if name != "rgb" and name not in TO_RGB:
        raise CvBridgeError(f"[{encoding}] is not a color format. but [rgb8] is")
    converted = pixels if name == "rgb" else cv2.cvtColor(pixels, TO_RGB[name])
    if converted.dtype == np.uint16:
        scaled = converted.astype(np.float64) * (255.0 / 65535.0)
        return np.clip(np.rint(scaled), 0, 255).astype(np.uint8)
    return converted
