import re

import cv2
import numpy as np
import pytest
from PIL import Image
from training.data.clean_pairs import CLEAN, blobs, differences, equal

from dense_reloc_ros.errors import ConfigurationError, InputError
from dense_reloc_ros.training.data.warps import (
    WarpsConfiguration,
    WarpsSource,
    apply_homography,
    random_homography,
    random_part,
    view,
)
from dense_reloc_ros.training.examples import TrainingPair

SIZE = (120, 160)
PICTURES = ("chelsea", "coffee", "astronaut")


@pytest.fixture(scope="module")
def source() -> WarpsSource:
    return WarpsSource(WarpsConfiguration(pictures=PICTURES, photometric=CLEAN), SIZE, 200)


@pytest.fixture(scope="module")
def pairs(source: WarpsSource) -> list[TrainingPair]:
    return [source.pair(number) for number in range(12)]


def test_pairs_have_the_size_asked_for(pairs):
    for pair in pairs:
        assert pair.source_image.shape == pair.target_image.shape == (3, *SIZE)
        assert pair.source_pixels.shape == pair.target_pixels.shape == (200, 2)
        assert not pair.has_pose
    assert {int(pair.place) for pair in pairs} == {0, 1, 2}


def test_images_show_the_same_at_corresponding_pixels(pairs):
    for pair in pairs:
        assert np.median(differences(pair)) < 0.05
    shifted = [differences(_shifted(pair)) for pair in pairs]
    assert np.median(np.concatenate(shifted)) > 2 * np.median(
        np.concatenate([differences(pair) for pair in pairs])
    )


def test_pairs_of_few_points_are_found_as_well():
    few = WarpsSource(WarpsConfiguration(pictures=PICTURES, photometric=CLEAN), SIZE, 4)
    assert all(few.pair(number).visible.any() for number in range(12))


def test_points_move_by_the_homography_that_opencv_finds_between_the_images(pairs):
    for pair in pairs:
        there, back = pair.source_pixels.numpy(), pair.target_pixels.numpy()
        homography, _ = cv2.findHomography(there, back)
        moved = cv2.perspectiveTransform(there[:, None].astype(float), homography)[:, 0]
        assert np.abs(moved - back).max() < 0.01
        image = pair.source_image.permute(1, 2, 0).numpy().copy()
        warped = cv2.warpPerspective(image, homography, SIZE[::-1], borderValue=(-1, -1, -1))
        inside = cv2.erode((warped >= 0).all(axis=2).astype(np.uint8), np.ones((5, 5))) > 0
        difference = np.abs(warped - pair.target_image.permute(1, 2, 0).numpy())[inside]
        assert inside.mean() > 0.1 and np.median(difference) < 0.03


def test_visible_is_what_lies_inside(pairs):
    outside = 0
    for pair in pairs:
        x, y = pair.target_pixels.T
        inside = (x >= 0) & (x <= SIZE[1] - 1) & (y >= 0) & (y <= SIZE[0] - 1)
        first = len({tuple(pixel) for pixel in pair.source_pixels.tolist()})
        assert first == 200 and (pair.visible == inside).all()
        outside += int((~inside).sum())
    assert outside > 50


def test_pair_is_a_function_of_its_number(source, pairs):
    other = WarpsSource(WarpsConfiguration(pictures=PICTURES, photometric=CLEAN), SIZE, 200)
    other.pair(5)
    assert equal(other.pair(3), pairs[3])
    assert not equal(source.pair(4), pairs[3])
    assert equal(source.pair(2**44 + 1), other.pair(2**44 + 1))


def test_homographies_vary_as_configured_and_overlap():
    configuration = WarpsConfiguration(pictures=PICTURES)
    zooms, angles = [], []
    grid = np.stack(np.meshgrid(np.arange(0, 160, 8.0), np.arange(0, 120, 8.0)), -1).reshape(-1, 2)
    for number in range(300):
        homography = random_homography(configuration, SIZE[::-1], np.random.default_rng(number))
        x, y = apply_homography(homography, grid).T
        assert ((x >= -5) & (x <= 164) & (y >= -5) & (y <= 124)).mean() > 0.2
        middle = np.array([[79.5, 59.5], [80.5, 59.5], [79.5, 60.5]])
        here, right, below = apply_homography(homography, middle)
        zooms.append(np.sqrt(abs(np.linalg.det(np.stack([right - here, below - here])))))
        angles.append(np.degrees(np.arctan2(*(right - here)[::-1])))
    assert np.quantile(zooms, 0.1) < 0.75 and np.quantile(zooms, 0.9) > 1.35
    assert max(np.abs(angles)) > 30 and np.median(np.abs(angles)) < 12


@pytest.mark.parametrize("size", [(300, 200), (161, 500), (61, 90)])
def test_part_of_a_photograph_lies_within_it(size):
    for number in range(50):
        homography = random_part(size, SIZE[::-1], np.random.default_rng(number))
        corners = np.array([[0.0, 0], [159, 0], [0, 119], [159, 119]])
        x, y = apply_homography(np.linalg.inv(homography), corners).T
        assert x.min() >= -1e-9 and x.max() <= size[0] - 1 + 1e-9
        assert y.min() >= -1e-9 and y.max() <= size[1] - 1 + 1e-9


def test_views_of_small_levels_lie_where_those_of_the_photograph_do():
    photograph = blobs(512, 640, 4, cells=32)
    half = cv2.resize(photograph, (320, 256), interpolation=cv2.INTER_AREA)
    homography = np.diag([0.5, 0.5, 1.0])
    fine = view((photograph,), homography, (300, 240)).astype(float)
    coarse = view((photograph, half), homography, (300, 240)).astype(float)
    assert np.abs(fine - coarse)[5:-5, 5:-5].mean() < 1
    assert np.abs(fine - np.roll(coarse, 1, axis=1))[5:-5, 5:-5].mean() > 1.5


def test_photographs_in_folders_come_with_their_places(tmp_path):
    for number in range(3):
        folder = tmp_path / f"part{number % 2}"
        folder.mkdir(exist_ok=True)
        Image.fromarray(blobs(200, 260, number)).save(folder / f"{number}.png")
    (tmp_path / "notes.txt").write_text("no photograph")
    configuration = WarpsConfiguration(folders=(tmp_path,), pictures=("coffee",), memory_mb=1)
    source = WarpsSource(configuration, SIZE, 50)
    assert source.places == 4
    assert {int(source.pair(number).place) for number in range(30)} == {0, 1, 2, 3}


def test_errors_name_what_is_missing(tmp_path):
    def refused(**values: object) -> str:
        with pytest.raises((InputError, ConfigurationError)) as error:
            WarpsSource(WarpsConfiguration(**values), SIZE, 50)
        return str(error.value)

    assert f"{tmp_path / 'none'}: no such folder" in refused(folders=(tmp_path / "none",))
    assert f"{tmp_path}: no photographs" in refused(folders=(tmp_path,))
    assert "'unicorn'" in refused(pictures=("unicorn",))
    assert "'folders'" in refused().replace("`", "'")


def test_photographs_that_show_nothing_or_are_damaged_are_named(tmp_path):
    plain = tmp_path / "plain.png"
    Image.fromarray(np.full((200, 260, 3), 90, dtype=np.uint8)).save(plain)
    source = WarpsSource(WarpsConfiguration(folders=(tmp_path,)), SIZE, 50)
    with pytest.raises(InputError, match=r"plain\.png: nothing to be seen"):
        source.pair(0)
    plain.write_bytes(b"not a picture")
    source = WarpsSource(WarpsConfiguration(folders=(tmp_path,)), SIZE, 50)
    with pytest.raises(InputError, match=re.escape(str(plain))):
        source.pair(0)


def _shifted(pair: TrainingPair) -> TrainingPair:
    values = vars(pair) | {"target_pixels": (pair.target_pixels + 6).clamp(0, 110)}
    return TrainingPair(**values)
