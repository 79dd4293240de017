from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from dense_reloc_ros.errors import InputError
from dense_reloc_ros.geometry.camera import Camera
from dense_reloc_ros.mapping.sources.image_folder import read_image_folder

CAMERA = Camera(8, 6, 5.0, 5.0, 4.0, 3.0)


def write_images(folder: Path, *names: str) -> None:
    for index, name in enumerate(names):
        cv2.imwrite(str(folder / name), np.full((6, 8, 3), index, np.uint8))


def test_names_that_are_times_are_the_times(tmp_path: Path):
    write_images(tmp_path, "10.5.png", "9.25.png")
    frames = read_image_folder(tmp_path, CAMERA)
    assert [(frame.name, frame.timestamp) for frame in frames] == [
        ("9.25.png", 9.25),
        ("10.5.png", 10.5),
    ]
    assert frames[1].load_image().max() == 0
    assert frames[1].T_map_camera is None


def test_other_names_are_taken_in_their_order(tmp_path: Path):
    write_images(tmp_path, "b.jpg", "a.JPG", "c.png")
    (tmp_path / "notes.txt").touch()
    frames = read_image_folder(tmp_path, CAMERA)
    assert [(frame.name, frame.timestamp) for frame in frames] == [
        ("a.JPG", 0.0),
        ("b.jpg", 1.0),
        ("c.png", 2.0),
    ]


def test_folders_without_images_are_refused(tmp_path: Path):
    with pytest.raises(InputError, match=f"{tmp_path}: no images"):
        read_image_folder(tmp_path, CAMERA)
    with pytest.raises(InputError, match="missing: No such file"):
        read_image_folder(tmp_path / "missing", CAMERA)


@pytest.mark.parametrize("name", ["nan.jpg", "inf.png", "1e300.jpg"])
def test_names_like_odd_numbers_are_names(tmp_path: Path, name: str):
    write_images(tmp_path, name, "5.png")
    stamps = [frame.stamp for frame in read_image_folder(tmp_path, CAMERA)]
    assert stamps == [0, 10**9]


def test_nanoseconds_are_kept_to_the_last(tmp_path: Path):
    write_images(tmp_path, "1403636579763555584.png", "1403636579813555457.png")
    frames = read_image_folder(tmp_path, CAMERA)
    assert [f"{frame.stamp}.png" for frame in frames] == [frame.name for frame in frames]
