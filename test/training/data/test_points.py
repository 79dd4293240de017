import numpy as np
from training.data.clean_pairs import blobs

from dense_reloc_ros.training.data.points import interesting_pixels


def test_points_lie_where_there_is_something_to_see():
    image = np.full((240, 320, 3), 90, dtype=np.uint8)
    image[40:120, 60:200] = blobs(80, 140, 0, cells=10)
    pixels = interesting_pixels(image, 300, np.random.default_rng(0))
    assert len(pixels) > 200
    x, y = pixels.T
    assert ((x > 54) & (x < 206) & (y > 34) & (y < 126)).all()


def test_points_spread_over_all_of_it():
    pixels = interesting_pixels(blobs(240, 320, 1), 400, np.random.default_rng(0))
    counts, _, _ = np.histogram2d(*pixels.T, bins=4, range=((0, 320), (0, 240)))
    assert counts.min() >= 5


def test_points_are_usable():
    usable = np.zeros((240, 320), dtype=bool)
    usable[:, 160:] = True
    pixels = interesting_pixels(blobs(240, 320, 1), 400, np.random.default_rng(0), usable)
    assert len(pixels) > 200
    assert (pixels[:, 0] >= 159).all()


def test_a_plain_image_has_no_points():
    image = np.full((60, 80, 3), 128, dtype=np.uint8)
    assert interesting_pixels(image, 50, np.random.default_rng(0)).shape == (0, 2)


def test_pixels_of_odd_images_stay_inside():
    pixels = interesting_pixels(blobs(61, 83, 2), 200, np.random.default_rng(0))
    assert (pixels >= 0).all() and (pixels <= (82, 60)).all()
