"""Arrays that people hand over as images."""

from __future__ import annotations

import numpy as np
import pytest

from dense_reloc_ros.errors import InputError
from dense_reloc_ros.images.pixels import as_rgb

GREY = np.arange(12, dtype=np.uint8).reshape(3, 4)


def test_grey_images_get_three_equal_channels():
    for grey in (GREY, GREY[..., None]):
        np.testing.assert_array_equal(as_rgb(grey), np.dstack([GREY] * 3))


def test_colour_images_stay_as_they_are():
    image = np.dstack([GREY] * 3)
    assert as_rgb(image) is image


@pytest.mark.parametrize(
    ("image", "said"),
    [
        (GREY.astype(np.float32) / 255, r"\(3, 4\) of float32"),
        (np.dstack([GREY] * 4), r"\(3, 4, 4\) of uint8"),
        (GREY.astype(np.uint16), "uint16"),
        (np.zeros((0, 4, 3), np.uint8), r"\(0, 4, 3\)"),
        (GREY[0], r"\(4,\)"),
        ("image.png", "not str"),
    ],
)
def test_what_is_no_image_is_refused_with_what_it_is(image, said):
    with pytest.raises(InputError, match=said):
        as_rgb(image)
