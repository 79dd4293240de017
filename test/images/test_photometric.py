import cv2
import numpy as np
import pytest
from pydantic import ValidationError
from training.data.clean_pairs import CLEAN, blobs

from dense_reloc_ros.images.photometric import (
    PhotometricConfiguration,
    RandomCamera,
    cover,
    motion_blur,
    uneven_light,
)

STRONG = {"source": (0.0, 0.0, 1.0), "target": (0.0, 0.0, 1.0)}
NUMBERS = range(60)


def camera(**values: object) -> RandomCamera:
    """A camera that only does what is named, on all images and strongly."""
    return RandomCamera(CLEAN.model_copy(update={**STRONG, **values}))


def test_same_generator_gives_same_image_another_one_another():
    image = blobs(60, 80, 0)
    strong = RandomCamera(PhotometricConfiguration(**STRONG))
    first, again, other = (
        strong.expose_target(image, np.random.default_rng(seed)) for seed in (1, 1, 2)
    )
    assert (first.image == again.image).all() and (first.covered == again.covered).all()
    assert (first.image != other.image).any()


def test_images_keep_their_size_and_the_original_its_values():
    image = blobs(61, 83, 0)
    before = image.copy()
    for number in NUMBERS:
        exposure = RandomCamera(PhotometricConfiguration(**STRONG)).expose_target(
            image, np.random.default_rng(number)
        )
        assert exposure.image.shape == image.shape and exposure.image.dtype == np.uint8
        assert exposure.covered.shape == image.shape[:2]
    assert (image == before).all()


def test_strong_is_as_dark_as_a_night_and_leaves_some_light():
    image = blobs(60, 80, 0)
    strong = RandomCamera(PhotometricConfiguration(**STRONG))
    means = [strong.expose_source(image, np.random.default_rng(n)).mean() for n in range(200)]
    assert np.quantile(means, 0.1) < 10
    assert np.quantile(means, 0.9) > 80
    assert min(means) > 0.5


def test_mild_source_images_stay_close_to_the_photograph():
    image = blobs(60, 80, 0)
    mild = RandomCamera(PhotometricConfiguration(source=(1.0, 0.0, 0.0)))
    for number in NUMBERS:
        exposed = mild.expose_source(image, np.random.default_rng(number)).astype(float)
        assert np.corrcoef(exposed.ravel(), image.ravel())[0, 1] > 0.8


def test_nothing_to_do_gives_the_photograph():
    image = blobs(60, 80, 0)
    for number in NUMBERS:
        exposure = camera().expose_target(image, np.random.default_rng(number))
        assert np.abs(exposure.image.astype(int) - image).max() <= 1
        assert not exposure.covered.any()


def test_gamma_is_a_power_of_the_brightness():
    ramp = np.repeat(np.arange(256, dtype=np.uint8), 3).reshape(16, 16, 3)
    exponents = []
    for number in NUMBERS:
        dark = camera(gamma=3).expose_source(ramp, np.random.default_rng(number))
        exponent = np.log(dark[8, 0, 0] / 255) / np.log(ramp[8, 0, 0] / 255)
        expected = 255 * (ramp / 255.0) ** exponent
        assert np.abs(dark - expected).max() < 2.5
        exponents.append(exponent)
    assert min(exponents) == pytest.approx(1, abs=0.01)
    assert 2.2 < max(exponents) < 3.05


def test_noise_grows_with_the_light_as_that_of_photons_does():
    image = np.full((200, 200, 3), 64, dtype=np.uint8)
    image[:, 100:] = 160
    noisy = [
        camera(photons=50).expose_source(image, np.random.default_rng(number)) for number in NUMBERS
    ]
    noisiest = max(noisy, key=lambda picture: picture.std()) / 255.0
    dark, bright = noisiest[:, :100], noisiest[:, 100:]
    assert dark.mean() == pytest.approx(64 / 255, rel=0.02)
    # Photons from the variance, at two brightnesses alike; the most noise asks for 50.
    photons = [part.mean() / part.var() for part in (dark, bright)]
    assert photons[0] == pytest.approx(photons[1], rel=0.1)
    assert 50 < photons[0] < 300


@pytest.mark.parametrize("length", [5.0, 9.0, 14.0, 20.0])
@pytest.mark.parametrize("angle", [0.0, 0.7, 1.9])
def test_motion_blur_is_the_mean_along_a_line(length, angle):
    image = blobs(120, 140, 3, cells=6)
    steps = np.linspace(-length / 2, length / 2, 101)
    x, y = np.meshgrid(np.arange(140.0), np.arange(120.0))
    mean = np.mean(
        [
            cv2.remap(
                image.astype(np.float32),
                (x + s * np.cos(angle)).astype(np.float32),
                (y + s * np.sin(angle)).astype(np.float32),
                cv2.INTER_LINEAR,
            )
            for s in steps
        ],
        axis=0,
    )
    inside = (slice(15, -15), slice(15, -15))
    difference = np.abs(motion_blur(image, length, angle)[inside] - mean[inside])
    assert difference.mean() < 1.5
    assert np.abs(image[inside] - mean[inside]).mean() > 5 * difference.mean()


def test_uneven_light_never_falls_below_its_depth_and_uses_it():
    lights = [uneven_light(60, 80, 0.9, np.random.default_rng(number)) for number in NUMBERS]
    assert min(light.min() for light in lights) >= 0.1 - 1e-6
    assert np.median([light.min() for light in lights]) < 0.4
    assert np.median([light.max() for light in lights]) > 0.7


def test_cover_changes_nothing_outside_of_what_it_says():
    image = blobs(90, 120, 5)
    for number in NUMBERS:
        covered_image, covered = cover(image, 0.3, np.random.default_rng(number))
        changed = (covered_image != image).any(axis=2)
        assert not changed[~covered].any()
        assert changed[covered].mean() > 0.9
        assert 0.05 < covered.mean() < 0.45


def test_jpeg_leaves_the_mark_of_its_blocks():
    image = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    changes = [
        np.abs(camera(jpeg_quality=20).expose_source(image, np.random.default_rng(n)) - 1.0 * image)
        for n in NUMBERS
    ]
    means = [change.mean() for change in changes]
    assert min(means) < 1 < 10 < max(means)


@pytest.mark.parametrize("weights", [(0.0, 0.0, 0.0), (1.0, -0.5, 0.5)])
def test_weights_that_mean_nothing_are_refused(weights):
    with pytest.raises(ValidationError, match="weights"):
        PhotometricConfiguration(target=weights)
