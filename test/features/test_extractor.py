"""Dense levels: where their cells lie, and what lies between them."""

from __future__ import annotations

import numpy as np
import torch

from dense_reloc_ros.features.extractor import FeatureLevel, image_to_tensor


def level() -> FeatureLevel:
    generator = torch.Generator().manual_seed(0)
    values = torch.randn(2, 5, 6, 8, generator=generator)
    return FeatureLevel(8, 2.5, torch.nn.functional.normalize(values, dim=1))


def test_cells_lie_at_their_pixels():
    cells = torch.tensor([[0.0, 0.0], [3.0, 1.0], [2.5, 4.25]])
    pixels = level().cells_to_pixels(cells)
    torch.testing.assert_close(pixels, torch.tensor([[2.5, 2.5], [26.5, 10.5], [22.5, 36.5]]))
    torch.testing.assert_close(level().pixels_to_cells(pixels), cells)


def test_descriptors_are_the_cells_own_at_their_centres_in_each_image():
    for image in range(2):
        values = level().values[image]
        sampled = level().sample(torch.tensor([[26.5, 10.5], [2.5, 42.5]]), image)
        torch.testing.assert_close(sampled, torch.stack([values[:, 1, 3], values[:, 5, 0]]))


def test_descriptors_between_cells_are_interpolated_and_normalized():
    values = level().values[0]
    # A quarter of the way from column 3 to 4, halfway from row 1 to 2.
    sampled = level().sample(torch.tensor([[28.5, 14.5]]))[0]
    mixed = 0.375 * (values[:, 1, 3] + values[:, 2, 3])
    mixed = mixed + 0.125 * (values[:, 1, 4] + values[:, 2, 4])
    torch.testing.assert_close(sampled, mixed / mixed.norm(), atol=1e-5, rtol=0)


def test_descriptors_beyond_the_outer_cells_are_theirs():
    sampled = level().sample(torch.tensor([[-3.0, -3.0], [1e4, 10.5]]))
    values = level().values[0]
    torch.testing.assert_close(sampled, torch.stack([values[:, 0, 0], values[:, 1, 7]]))


def test_images_become_tensors():
    image = np.zeros((4, 6, 3), np.uint8)
    image[1, 2] = [255, 51, 0]
    tensor = image_to_tensor(image[:, ::-1], torch.device("cpu"))
    assert tensor.shape == (1, 3, 4, 6)
    torch.testing.assert_close(tensor[0, :, 1, 3], torch.tensor([1.0, 0.2, 0.0]))
    assert tensor.sum() == torch.tensor(1.2)
