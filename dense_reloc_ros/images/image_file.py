"""Colour and depth image files as arrays; a damaged file is an error, never half an image."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dense_reloc_ros.errors import InputError

NO_DEPTH = (0, 65535)
"""Values that mean "unknown" in 16-bit depth images."""


def read_rgb(path: Path, encoded: bytes | None = None) -> NDArray[np.uint8]:
    """An image file as RGB (H, W, 3), its rows and columns those of the sensor (no EXIF turning).

    `encoded` is what the file holds, where it was read before.

    Raises:
        InputError: a file that is missing or not a whole image.
    """
    return np.array(_open(path, encoded).convert("RGB"))


def read_depth_millimetres(path: Path) -> NDArray[np.float32]:
    """A 16-bit depth image in millimetres as metres (H, W), 0 = unknown (0 and 65535 in the file).

    Raises:
        InputError: a file that is missing, damaged or not a 16-bit image of one channel.
    """
    image = _open(path)
    if not image.mode.startswith("I"):
        raise InputError(
            f"{path}: a depth image has one channel of 16 bits, this one is {image.mode}"
        )
    millimetres = np.array(image).astype(np.float32)
    millimetres[np.isin(millimetres, NO_DEPTH)] = 0.0
    return millimetres / 1000.0


def _open(path: Path, encoded: bytes | None = None) -> Image.Image:
    try:
        image = Image.open(path if encoded is None else BytesIO(encoded))
        image.load()
        return image
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    # Pillow's decoders raise these for damaged files and for sizes that nobody means.
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise InputError(f"{path}: not a readable image ({error})") from None
