"""Portrait images, 10 and 12 bits in 16, other resolutions and EXIF orientations are localized."""

from __future__ import annotations

from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch
from mapping.consistency.room_frames import room_frames
from PIL import Image

from dense_reloc_ros.configuration import LocalizerConfiguration
from dense_reloc_ros.geometry.camera import Camera
from dense_reloc_ros.geometry.se3 import pose_error, rigid
from dense_reloc_ros.images.encodings import decode_raw
from dense_reloc_ros.images.image_file import read_rgb
from dense_reloc_ros.localization.factory import localizer_for
from dense_reloc_ros.localization.localizer import Localizer
from dense_reloc_ros.mapping.map_of_source import MapSource, make_map
from dense_reloc_ros.mapping.sparse_describer import RootSiftDescriber

TRUTH = room_frames()[5]


@pytest.fixture(scope="module")
def localizer() -> Localizer:
    frames = room_frames()[::2]
    scene_map = make_map(MapSource(frames, "room", has_depth=True), frames, RootSiftDescriber())
    return localizer_for(scene_map, LocalizerConfiguration(), None, torch.device("cpu"))


def assert_localized(
    localizer: Localizer, image: np.ndarray, camera: Camera, T_map_camera: np.ndarray
) -> None:
    found = localizer.localize(image, camera).T_map_camera
    assert found is not None
    error = pose_error(found, T_map_camera)
    assert error.translation < 0.05
    assert np.rad2deg(error.rotation) < 1.0


def test_a_portrait_image(localizer):
    camera, image = TRUTH.camera, np.rot90(TRUTH.load_image()).copy()
    # Turned to the left: what was right is on top.
    turned = Camera(
        camera.height,
        camera.width,
        camera.fy,
        camera.fx,
        camera.cy,
        camera.width - 1 - camera.cx,
    )
    roll = np.array([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    pose = TRUTH.known_pose() @ rigid(roll, np.zeros(3))
    assert_localized(localizer, image, turned, pose)


@pytest.mark.parametrize("size", [(640, 480), (240, 180)])
def test_an_image_of_another_resolution_than_the_map(localizer, size):
    image = cv2.resize(TRUTH.load_image(), size, interpolation=cv2.INTER_AREA)
    assert_localized(localizer, image, TRUTH.camera.scaled(*size), TRUTH.known_pose())


@pytest.mark.parametrize("bits", [10, 12, 16])
def test_bits_in_the_lower_part_of_16(localizer, bits):
    grey = cv2.cvtColor(TRUTH.load_image(), cv2.COLOR_RGB2GRAY).astype(np.uint16)
    values = grey << (bits - 8)
    message = SimpleNamespace(
        encoding="mono16",
        height=values.shape[0],
        width=values.shape[1],
        step=2 * values.shape[1],
        is_bigendian=0,
        data=values.tobytes(),
    )
    assert_localized(localizer, decode_raw(message), TRUTH.camera, TRUTH.known_pose())


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_exif_orientation_leaves_rows_and_columns_of_the_sensor(localizer, tmp_path, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    file = tmp_path / "image.jpg"
    Image.fromarray(TRUTH.load_image()).save(file, quality=95, exif=exif)
    assert_localized(localizer, read_rgb(file), TRUTH.camera, TRUTH.known_pose())
