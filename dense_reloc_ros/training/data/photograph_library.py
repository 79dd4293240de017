"""Photographs in folders and in scikit-image, decoded when asked for, in bounded memory."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from dense_reloc_ros.bounded_memory import BoundedMemory
from dense_reloc_ros.errors import ConfigurationError, InputError
from dense_reloc_ros.geometry.arrays import RgbImage
from dense_reloc_ros.images.image_file import read_rgb
from dense_reloc_ros.rendering.photographs import photograph

SUFFIXES = {".jpg", ".jpeg", ".png", ".webp"}
LONGEST_SIDE = 1600
LEVELS = 3

Pyramid = tuple[RgbImage, ...]
"""A photograph (h, w, 3) and its halves: pixel p of one is (p + 0.5) / 2 - 0.5 in the next."""


class PhotographLibrary:
    """All photographs of some folders (searched through) and some of scikit-image's pictures.

    Raises:
        InputError: a folder that is missing or has no photographs.
        ConfigurationError: none named at all, or a picture that scikit-image does not bring.
    """

    def __init__(
        self, folders: Sequence[Path], pictures: Sequence[str] = (), memory_mb: int = 512
    ) -> None:
        self._photographs: list[Path | str] = []
        for folder in folders:
            self._photographs += _photographs_in(folder)
        for name in pictures:
            _bundled(name)
        self._photographs += pictures
        if not self._photographs:
            raise ConfigurationError("training on photographs needs `folders` or `pictures`")
        self._decoded: BoundedMemory[Pyramid] = BoundedMemory(
            memory_mb, lambda pyramid: sum(level.nbytes for level in pyramid)
        )

    def __len__(self) -> int:
        return len(self._photographs)

    def name(self, index: int) -> str:
        """The file, or scikit-image's name."""
        return str(self._photographs[index])

    def pyramid(self, index: int) -> Pyramid:
        """A photograph of at most 1600 pixels, and its halves.

        Raises:
            InputError: a file that cannot be read.
        """
        return self._decoded.get(index, lambda: _pyramid(self._read(index)))

    def _read(self, index: int) -> RgbImage:
        entry = self._photographs[index]
        return read_rgb(entry) if isinstance(entry, Path) else _bundled(entry)


def _photographs_in(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder")
    found = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
    if not found:
        raise InputError(f"{folder}: no photographs ({', '.join(sorted(SUFFIXES))})")
    return found


def _bundled(name: str) -> RgbImage:
    try:
        image = photograph(name)
    # What scikit-image raises for what it lacks, or would have to download.
    except (AttributeError, ImportError, OSError, ValueError):
        raise ConfigurationError(f"scikit-image brings no picture '{name}'") from None
    return np.asarray(image[..., :3], dtype=np.uint8)


def _pyramid(image: RgbImage) -> Pyramid:
    scale = LONGEST_SIDE / max(image.shape)
    if scale < 1:
        width, height = (max(1, round(side * scale)) for side in image.shape[1::-1])
        image = np.asarray(cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA))
    levels = [image]
    while len(levels) < LEVELS and min(levels[-1].shape[:2]) >= 64:
        height, width = (side // 2 for side in levels[-1].shape[:2])
        even = levels[-1][: 2 * height, : 2 * width]
        half = cv2.resize(even, (width, height), interpolation=cv2.INTER_AREA)
        levels.append(np.asarray(half, dtype=np.uint8))
    return tuple(levels)
