import numpy as np
import pytest

from dense_reloc_ros.geometry.camera import Camera
from dense_reloc_ros.training.data.crops import Crop, random_crop

CAMERA = Camera(200, 150, 180.0, 190.0, 99.0, 70.0)
SIZE = (60, 80)


@pytest.mark.parametrize("box", [(20, 10, 160, 120), (37, 51, 53, 40)])
def test_resampled_image_shows_the_same_at_the_same_pixels(box):
    x, y = np.meshgrid(np.arange(200), np.arange(150))
    ramp = np.stack([x, y, x // 2 + y // 2], axis=2).astype(np.uint8)
    crop = Crop(*box, SIZE)
    part = crop.image(ramp).astype(float)
    assert part.shape == (*SIZE, 3)
    inside = np.array([[10.0, 8.0], [40.0, 30.0], [70.0, 50.0]])
    columns, rows = inside.astype(int).T
    assert part[rows, columns, :2] == pytest.approx(crop.image_pixels(inside), abs=0.6)
    assert crop.pixels(crop.image_pixels(inside)) == pytest.approx(inside)


def test_camera_of_a_part_projects_as_the_whole_one_does():
    crop = Crop(37, 51, 53, 40, SIZE)
    points = np.array([[0.1, -0.2, 2.0], [-0.4, 0.3, 3.0]])
    whole = crop.pixels(CAMERA.project(points))
    assert crop.camera(CAMERA).project(points) == pytest.approx(whole)


def test_mask_is_cut_as_the_image():
    mask = np.zeros((150, 200), dtype=bool)
    mask[:, 100:] = True
    part = Crop(60, 30, 80, 60, SIZE).mask(mask)
    assert part[:, 40:].all() and not part[:, :40].any()


def test_random_parts_lie_inside_and_have_the_shape_asked_for():
    crops = [random_crop(CAMERA, SIZE, 2.0, np.random.default_rng(n)) for n in range(100)]
    for crop in crops:
        assert crop.left >= 0 and crop.left + crop.width <= 200
        assert crop.top >= 0 and crop.top + crop.height <= 150
        assert crop.width / crop.height == pytest.approx(80 / 60, rel=0.03)
    assert min(crop.width for crop in crops) < 110
    assert max(crop.width for crop in crops) > 190
