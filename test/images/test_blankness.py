"""What shows nothing is told from what shows little."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from gallery import looking

from dense_reloc_ros.images.blankness import is_blank
from dense_reloc_ros.images.light_levels import LEVELS, degrade

SHAPE = (480, 640, 3)


def noisy(image: np.ndarray, deviation: float) -> np.ndarray:
    noise = deviation * np.random.default_rng(0).standard_normal(image.shape)
    return np.clip(np.rint(image + noise), 0, 255).astype(np.uint8)


@pytest.mark.parametrize("level", [0, 3, 128, 255])
@pytest.mark.parametrize("deviation", [0, 1, 4, 12])
def test_a_level_with_noise_is_blank(level, deviation):
    assert is_blank(noisy(np.full(SHAPE, level), deviation))


@pytest.mark.parametrize("shape", [(480, 640, 3), (123, 201, 3), (97, 1000, 3)])
def test_light_that_changes_slowly_is_nothing(shape):
    columns = np.linspace(-1, 1, shape[1])[None, :, None]
    rows = np.linspace(-1, 1, shape[0])[:, None, None]
    vignetted = np.broadcast_to(90 - 30 * columns**2 - 20 * rows**2 + 10 * columns, shape)
    assert is_blank(noisy(vignetted, 2.0))


@pytest.fixture(scope="module")
def image(gallery) -> np.ndarray:
    return gallery.render(looking(20, distance=0.45)).image


@pytest.mark.parametrize("level", LEVELS)
def test_no_light_of_the_benchmarks_makes_an_image_blank(image, level):
    assert not is_blank(degrade(image, LEVELS[level], 0))


def test_an_image_with_a_hundredth_of_its_light_is_not_blank(image):
    assert not is_blank((image / 100).astype(np.uint8))


def test_a_thin_line_on_a_wall_is_something():
    wall = np.full(SHAPE, 200, np.uint8)
    cv2.line(wall, (100, 50), (500, 400), (190, 190, 190), 2)
    assert not is_blank(noisy(wall, 1.0))


def test_images_of_few_cells_are_not_judged():
    assert not is_blank(np.zeros((32, 32, 3), np.uint8))
