"""A folder of images of one camera, without poses."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from dense_reloc_ros.errors import InputError
from dense_reloc_ros.geometry.camera import Camera
from dense_reloc_ros.images.image_file import read_rgb
from dense_reloc_ros.mapping.sources.source_frame import SourceFrame

SUFFIXES = (".jpg", ".jpeg", ".png")


def read_image_folder(folder: Path, camera: Camera) -> list[SourceFrame]:
    """The images of a folder in the order of their names.

    Where every name is a time in seconds (`1305031102.175304.png`, as in the TUM RGB-D dataset)
    the images were taken then, otherwise one second after another.

    Raises:
        InputError: no such folder, or no images in it. Images complain only when loaded.
    """
    try:
        files = sorted(file for file in folder.iterdir() if file.suffix.lower() in SUFFIXES)
    except OSError as error:
        raise InputError(f"{folder}: {error.strerror}") from None
    if not files:
        raise InputError(f"{folder}: no images ({', '.join(SUFFIXES)})")
    try:
        times = [float(file.stem) for file in files]
    except ValueError:
        times = [float(index) for index in range(len(files))]
    frames = [
        SourceFrame(file.name, time, camera, None, partial(read_rgb, file))
        for file, time in zip(files, times, strict=True)
    ]
    return sorted(frames, key=lambda frame: frame.timestamp)
