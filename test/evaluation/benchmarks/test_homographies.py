"""Views of a photograph and the homography between them, against OpenCV and by construction."""

from __future__ import annotations

from pathlib import Path
from zlib import crc32

import cv2
import numpy as np
import pytest
from PIL import Image

from dense_reloc_ros.errors import InputError
from dense_reloc_ros.evaluation.benchmarks.homographies import (
    LARGEST_ZOOM,
    homography_pairs,
    photographs_in,
    random_homography,
    transfer,
)
from dense_reloc_ros.images.light_levels import LEVELS, degrade

SIZE = (160, 120)
WIDTH, HEIGHT = SIZE


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two smooth photographs of different sizes, one of them in a folder of its own."""
    (tmp_path / "more").mkdir()
    for name, size, seed in (("b.png", (500, 300), 1), ("more/a.jpg", (200, 260), 2)):
        coarse = np.random.default_rng(seed).integers(0, 256, (9, 12, 3), dtype=np.uint8)
        Image.fromarray(cv2.resize(coarse, size, interpolation=cv2.INTER_CUBIC)).save(
            tmp_path / name
        )
    (tmp_path / "notes.txt").write_text("no photograph")
    return tmp_path


def test_photographs_are_found_in_all_folders(folder, tmp_path):
    assert [path.name for path in photographs_in(folder)] == ["b.png", "a.jpg"]
    with pytest.raises(InputError, match="no images"):
        photographs_in(tmp_path / "nowhere")


def test_the_target_shows_the_source_where_the_homography_says(folder):
    pairs = list(homography_pairs(photographs_in(folder), 3, size=SIZE))
    assert [pair.name for pair in pairs] == [
        f"{n} {k}" for n in ("b.png", "a.jpg") for k in range(3)
    ]
    for pair in pairs:
        assert pair.source.shape == pair.target.shape == (HEIGHT, WIDTH, 3)
        columns, rows = np.meshgrid(np.arange(5, WIDTH - 5, 9), np.arange(5, HEIGHT - 5, 9))
        pixels = np.column_stack([columns.ravel(), rows.ravel()])
        moved = transfer(pair.homography, pixels)
        inside = ((moved >= 1) & (moved <= [WIDTH - 2, HEIGHT - 2])).all(axis=1)
        assert inside.mean() > 0.5
        seen = cv2.remap(
            pair.target, moved[None, inside].astype(np.float32), None, cv2.INTER_LINEAR
        )
        expected = pair.source[pixels[inside, 1], pixels[inside, 0]]
        assert np.abs(seen[0].astype(int) - expected).mean() < 2
        off = cv2.remap(pair.target, moved[None, inside].astype(np.float32) + 8, None, 1)
        assert np.abs(off[0].astype(int) - expected).mean() > 6


def test_pairs_are_the_same_every_time_and_differ_from_each_other(folder):
    first, again = (list(homography_pairs(photographs_in(folder), 2, size=SIZE)) for _ in range(2))
    for pair, same in zip(first, again, strict=True):
        np.testing.assert_array_equal(pair.homography, same.homography)
        np.testing.assert_array_equal(pair.target, same.target)
    assert len({pair.homography.tobytes() for pair in first}) == 4


def test_a_photograph_has_the_same_pairs_among_others(folder):
    (alone,) = homography_pairs([folder / "more/a.jpg"], 1, size=SIZE)
    *_, second, _ = homography_pairs(photographs_in(folder), 2, size=SIZE)
    assert alone.name == second.name == "a.jpg 0"
    np.testing.assert_array_equal(alone.homography, second.homography)


def test_light_changes_the_target_alone(folder):
    (clean, *_), (night, *_) = (
        list(homography_pairs(photographs_in(folder), 1, level, SIZE))
        for level in ("clean", "night")
    )
    np.testing.assert_array_equal(clean.source, night.source)
    np.testing.assert_array_equal(
        night.target, degrade(clean.target, LEVELS["night"], crc32(b"b.png 0"))
    )


def test_homographies_keep_their_bounds():
    rng = np.random.default_rng(0)
    middle = np.array([[(WIDTH - 1) / 2, (HEIGHT - 1) / 2]])
    areas = []
    for _ in range(200):
        homography = random_homography(SIZE, rng)
        assert np.abs(transfer(homography, middle) - middle).max() < 0.25 * WIDTH
        corners = np.array([[0.0, 0], [WIDTH - 1, 0], [WIDTH - 1, HEIGHT - 1], [0, HEIGHT - 1]])
        moved = transfer(homography, corners)
        assert cv2.isContourConvex(moved.astype(np.float32))
        areas.append(cv2.contourArea(moved.astype(np.float32)) / (WIDTH - 1) / (HEIGHT - 1))
    assert 1 / LARGEST_ZOOM**2 - 0.4 < min(areas) < 0.8
    assert 1.3 < max(areas) < LARGEST_ZOOM**2 + 0.8


def test_transfer_is_that_of_opencv():
    homography = random_homography(SIZE, np.random.default_rng(3))
    pixels = np.random.default_rng(4).uniform(0, 100, (20, 2))
    expected = cv2.perspectiveTransform(pixels[:, None], homography)[:, 0]
    np.testing.assert_allclose(transfer(homography, pixels), expected)
