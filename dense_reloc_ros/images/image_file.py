"""Colour and depth image files as arrays; a damaged file is an error, never half an image."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dense_reloc_ros.errors import InputError
from dense_reloc_ros.images.bit_depth import eight_bits

MILLIMETRES = 1000.0
"""Values per metre of depth in whole numbers, unless something else is said."""
NO_DEPTH = (0, 65535)
"""Values that mean "unknown" in 16-bit depth images."""


def read_rgb(path: Path, encoded: bytes | None = None) -> NDArray[np.uint8]:
    """An image file as RGB (H, W, 3), its rows and columns those of the sensor (no EXIF turning).

    Grey images of 16 bits keep the upper eight of the bits that are used.

    `encoded` is what the file holds, where it was read before.

    Raises:
        InputError: a file that is missing or not a whole image.
    """
    image = _open(path, encoded)
    if image.mode.startswith("I"):
        grey = eight_bits(np.array(image).clip(0, 65535).astype(np.uint16))
        return np.repeat(grey[..., None], 3, axis=2)
    return np.array(image.convert("RGB"))


def read_depth(path: Path, scale: float | None = None) -> NDArray[np.float32]:
    """A depth image as metres (H, W), 0 = unknown (in the file 0, and what is no finite number).

    Args:
        path: an image of one channel: 16 or 32 bit whole numbers, or 32 bit floating point (TIFF).
        scale: values per metre; None: 1000 of whole numbers, 1 of others.

    Raises:
        InputError: a file that is missing, damaged, or not such an image.
    """
    image = _open(path)
    if not image.mode.startswith(("I", "F")):
        raise InputError(
            f"{path}: a depth image has one channel of 16 bits or 32, this one is {image.mode}"
        )
    values = np.array(image).astype(np.float32)
    if image.mode == "F":
        values[~(np.isfinite(values) & (values > 0))] = 0.0
    else:
        values[np.isin(values, NO_DEPTH) | (values < 0)] = 0.0
    return values / np.float32(scale or _usual_scale(image.mode))


def depth_scale_of_file(path: Path) -> float:
    """Values per metre that a depth image is taken to have where nothing else is said.

    Raises:
        InputError: a file that is missing or damaged.
    """
    return _usual_scale(_open(path).mode)


def _usual_scale(mode: str) -> float:
    return 1.0 if mode == "F" else MILLIMETRES


def _open(path: Path, encoded: bytes | None = None) -> Image.Image:
    try:
        image = Image.open(path if encoded is None else BytesIO(encoded))
        image.load()
        return image
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    # Pillow's decoders raise these for damaged files and for sizes that nobody means.
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise InputError(f"{path}: not a readable image ({reason})") from None
