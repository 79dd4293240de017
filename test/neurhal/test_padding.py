from __future__ import annotations

import pytest
import torch

from dense_reloc_ros.features.extractor import FeatureLevel
from dense_reloc_ros.neurhal.padding import CorrespondencePlane, LearnedPadding


@pytest.mark.parametrize(("share", "size"), [(0.0, (60, 80)), (0.25, (90, 120)), (0.5, (120, 160))])
def test_half_of_the_image_at_each_side_makes_the_plane_of_the_thesis(share, size):
    plane = CorrespondencePlane.around((60, 80), 8, 0.0, share)
    assert (plane.height, plane.width) == size
    assert plane.cell_count == size[0] * size[1]


def test_cells_count_from_the_corner_of_the_plane_and_pixels_from_that_of_the_image():
    plane = CorrespondencePlane.around((12, 16), 16, 7.5, 0.5)
    pixels = torch.tensor([[7.5, 7.5], [-120.5, -88.5], [15.5, 39.5]])
    cells = torch.tensor([[8.0, 6.0], [0.0, 0.0], [8.5, 8.0]])
    torch.testing.assert_close(plane.cells(pixels), cells)
    torch.testing.assert_close(plane.pixels(cells), pixels)


def test_the_plane_ends_at_the_centres_of_its_outermost_cells_and_contains_no_nan():
    plane = CorrespondencePlane.around((12, 16), 16, 7.5, 0.5)
    x, y = plane.pixels(torch.tensor([31.0, 23.0])).tolist()
    pixels = [[x, y], [x + 0.1, y], [x, y + 0.1], [-120.5, -88.5], [-120.6, 0], [torch.nan, 0]]
    inside = plane.contains(torch.tensor(pixels))
    assert inside.tolist() == [True, False, False, True, False, False]


def test_centres_are_the_pixels_of_all_cells():
    plane = CorrespondencePlane.around((3, 4), 8, 3.5, 0.5)
    centres = plane.centres()
    assert centres.shape == (plane.height, plane.width, 2)
    torch.testing.assert_close(
        centres[1, 5], plane.pixels(torch.tensor([5.0, 1.0])), rtol=0, atol=0
    )


def test_features_lie_in_the_middle_and_the_learned_vector_everywhere_else():
    padding = LearnedPadding(5, 0.5)
    values = torch.rand(2, 5, 6, 8, generator=torch.Generator().manual_seed(0))
    padded, plane = padding(FeatureLevel(8, 3.5, values))
    assert padded.shape == (2, 5, plane.height, plane.width) == (2, 5, 12, 16)
    assert torch.equal(padded[:, :, 3:9, 4:12], values)
    outside = torch.ones(12, 16, dtype=torch.bool)
    outside[3:9, 4:12] = False
    expected = padding.vector[:, None].expand(2, 5, int(outside.sum()))
    assert torch.equal(padded[:, :, outside], expected)
    padded.sum().backward()
    # The vector stands in 2 images, in as many cells.
    torch.testing.assert_close(padding.vector.grad, torch.full((5,), 2.0 * int(outside.sum())))


def test_without_padding_features_stay_as_they_are():
    values = torch.rand(1, 3, 4, 5)
    padded, plane = LearnedPadding(3, 0.0)(FeatureLevel(8, 3.5, values))
    assert torch.equal(padded, values)
    assert plane.padding == (0, 0)
