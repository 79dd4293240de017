"""The degradations against their definition: what each does to images where it can be computed."""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from types import ModuleType

import cv2
import numpy as np
import pytest
from shared_data import SHARED

from dense_reloc_ros.geometry.camera import Camera
from dense_reloc_ros.images.light_levels import (
    LEVELS,
    Conditions,
    degrade,
    light_field,
    motion_kernel,
)

DEFINITION = SHARED / "bench/stress_queries.py"
CAMERA = Camera(160, 120, 150.0, 150.0, 79.5, 59.5)
HARMLESS = Conditions(blur=1, gamma=1.0, gain=1.0, photons=1e12, read_noise=0.0)


def picture(seed: int = 0) -> np.ndarray:
    coarse = np.random.default_rng(seed).integers(0, 256, (12, 16, 3), dtype=np.uint8)
    return cv2.resize(coarse, (CAMERA.width, CAMERA.height), interpolation=cv2.INTER_LINEAR)


def grey(value: int, height: int = 240, width: int = 320) -> np.ndarray:
    return np.full((height, width, 3), value, np.uint8)


@pytest.fixture(scope="module")
def definition() -> ModuleType:
    if not DEFINITION.exists():
        pytest.skip(f"the definition of the levels is not here: {DEFINITION}")
    spec = importlib.util.spec_from_file_location("stress_queries", DEFINITION)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("number", [0, 637])
def test_pixels_are_those_of_the_definition(level, number, definition):
    expected = definition.degrade(picture()[..., ::-1].copy(), number, level)[..., ::-1]
    np.testing.assert_array_equal(degrade(picture(), LEVELS[level], number), expected)


def test_the_levels_are_those_of_the_definition(definition):
    assert list(LEVELS) == list(definition.LEVELS)


def test_harmless_conditions_change_nothing():
    np.testing.assert_array_equal(degrade(picture(), HARMLESS, 3), picture())


@pytest.mark.parametrize("level", ["dim", "dark", "night"])
def test_brightness_and_noise_are_those_of_the_sensor(level):
    conditions = LEVELS[level]
    # In grey levels, and bright enough for the clipping at zero not to matter.
    image = degrade(grey(255), conditions, 5).astype(float)
    assert image.mean() == pytest.approx(255 * conditions.gain, rel=0.01)
    variance = conditions.gain / conditions.photons + conditions.read_noise**2
    assert image.std() == pytest.approx(255 * np.sqrt(variance + 1 / 255**2 / 12), rel=0.02)


def test_gamma_darkens_the_shadows():
    dark = degrade(grey(51), replace(HARMLESS, gamma=2.0), 5)
    assert np.abs(dark.astype(int) - round(255 * 0.2**2)).max() <= 1


@pytest.mark.parametrize(
    ("angle", "step"), [(0.0, (1, 0)), (np.pi / 2, (0, 1)), (np.pi / 4, (1, 1))]
)
def test_motion_smears_a_point_along_its_direction(angle, step):
    kernel = motion_kernel(9, angle)
    assert kernel.shape == (19, 19)
    assert kernel.sum() == pytest.approx(1.0)
    rows, columns = np.nonzero(kernel)
    reach = round(4 * max(np.cos(angle), np.sin(angle)))
    expected = {(9 + k * step[0], 9 + k * step[1]) for k in range(-reach, reach + 1)}
    assert set(zip(columns.tolist(), rows.tolist(), strict=True)) == expected


def test_light_is_smooth_within_its_range_and_varies():
    field = light_field(240, 320, np.random.default_rng(1))
    assert field.shape == (240, 320)
    assert field.min() >= np.float32(0.1)
    assert field.max() <= 1.0
    assert np.ptp(field) > 0.3
    assert np.abs(np.diff(field, axis=0)).max() < 0.03


def test_boxes_hide_their_share_of_the_image():
    image = degrade(grey(255), replace(HARMLESS, covered=0.3), 2)
    hidden = (image < 255).all(axis=-1)
    # Three boxes of a tenth each; they may overlap.
    assert 0.1 < hidden.mean() <= 0.3
    assert set(np.unique(image[hidden] // 26)) <= {0, 1, 2, 3, 4}


def test_randomness_belongs_to_the_frame_number():
    night = LEVELS["night"]
    np.testing.assert_array_equal(degrade(picture(), night, 7), degrade(picture(), night, 7))
    assert (degrade(picture(), night, 7) != degrade(picture(), night, 8)).any()


def test_channels_keep_their_order():
    red = np.zeros((120, 160, 3), np.uint8)
    red[..., 0] = 255
    image = degrade(red, LEVELS["dim"], 4)
    assert image[..., 0].mean() == pytest.approx(255 * 0.5, rel=0.02)
    assert image[..., 1:].mean() < 2


def test_each_seed_gives_other_randomness_and_the_first_is_the_published_one():
    night = LEVELS["night"]
    np.testing.assert_array_equal(degrade(picture(), night, 7), degrade(picture(), night, 7, 0))
    first, second = (degrade(picture(), night, 7, seed) for seed in (1, 2))
    assert (first != degrade(picture(), night, 7)).any()
    assert (first != second).any()
    np.testing.assert_array_equal(first, degrade(picture(), night, 7, 1))
