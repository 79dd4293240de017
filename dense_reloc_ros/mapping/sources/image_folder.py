"""A folder of images of one camera, without poses."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from dense_reloc_ros.errors import InputError
from dense_reloc_ros.geometry.camera import Camera
from dense_reloc_ros.images.image_file import read_rgb
from dense_reloc_ros.mapping.sources.file_times import times_in_names
from dense_reloc_ros.mapping.sources.source_frame import SourceFrame
from dense_reloc_ros.stamps import NANOSECONDS
from dense_reloc_ros.whole_file import legible

logger = logging.getLogger(__name__)

SUFFIXES = (".jpg", ".jpeg", ".png")


def read_image_folder(folder: Path, camera: Camera) -> list[SourceFrame]:
    """The images of a folder in the order of their times.

    Where every name is a time (`1305031102.175304.png` as in the TUM RGB-D dataset, nanoseconds, a
    date) the images were taken then, otherwise one second after another in the order of the names.

    Raises:
        InputError: no such folder, or no images in it. Images complain only when loaded.
    """
    try:
        files = sorted(file for file in folder.iterdir() if file.suffix.lower() in SUFFIXES)
    except OSError as error:
        raise InputError(f"{folder}: {error.strerror}") from None
    if not files:
        raise InputError(f"{folder}: no images ({', '.join(SUFFIXES)})")
    stamps = times_in_names([file.stem for file in files])
    if stamps is None:
        logger.info("%s: names are no times: images are taken as one second apart", folder)
        stamps = [index * NANOSECONDS for index in range(len(files))]
    return _frames(files, stamps, camera)


def _frames(files: Sequence[Path], stamps: Sequence[int], camera: Camera) -> list[SourceFrame]:
    frames = [
        SourceFrame(
            name=legible(file.name),
            timestamp=stamp / NANOSECONDS,
            camera=camera,
            T_map_camera=None,
            read_image=partial(read_rgb, file),
            exact_stamp=stamp,
        )
        for file, stamp in zip(files, stamps, strict=True)
    ]
    return sorted(frames, key=lambda frame: frame.stamp)
