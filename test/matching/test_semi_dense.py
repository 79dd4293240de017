"""Semi-dense matches of images that are known to be shifted against each other."""

from __future__ import annotations

import torch
from torch.nn.functional import normalize

from dense_reloc_ros.features.extractor import DenseFeatures, FeatureLevel
from dense_reloc_ros.matching.semi_dense import (
    PIXELS_PER_CELL,
    distinct_pixels,
    match_semi_dense,
    mutual_cells,
    peaks,
)
from dense_reloc_ros.matching.windows import Windows

ROWS, COLUMNS = 8, 10
"""Of the coarse level: stride 16; that of the fine one is 4."""


def features(seed: int, shift: int = 0) -> DenseFeatures:
    """Random features, moved to the right by a number of coarse cells."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.randn(1, 16, ROWS, COLUMNS, generator=generator)
    fine = torch.randn(1, 16, 4 * ROWS, 4 * COLUMNS, generator=generator)
    levels = {
        "coarse": FeatureLevel(16, 7.5, normalize(coarse.roll(shift, 3), dim=1)),
        "fine": FeatureLevel(4, 1.5, normalize(fine.roll(4 * shift, 3), dim=1)),
    }
    return DenseFeatures(levels, torch.zeros(1, 4))


def test_what_is_shifted_is_found_where_it_is():
    one, other = features(0), features(0, shift=2)
    pixels = distinct_pixels(one)
    matches = match_semi_dense(one, pixels, other)
    # The two columns on the right left the image and came back on the left.
    inner = matches.pixels[:, 0] < 16 * (COLUMNS - 2) - 8
    assert inner.sum() > 0.8 * PIXELS_PER_CELL * ROWS * (COLUMNS - 2)
    moved = (matches.other_pixels - matches.pixels)[inner]
    torch.testing.assert_close(moved[:, 0], torch.full_like(moved[:, 0], 32.0), atol=0.2, rtol=0)
    torch.testing.assert_close(moved[:, 1], torch.zeros_like(moved[:, 1]), atol=0.2, rtol=0)


def test_images_of_different_places_match_hardly():
    one, other = features(0), features(1)
    matches = match_semi_dense(one, distinct_pixels(one), other)
    assert len(matches) < 0.4 * PIXELS_PER_CELL * ROWS * COLUMNS


def test_pixels_are_centres_of_fine_cells_in_their_coarse_cell():
    one = features(3)
    pixels = distinct_pixels(one)
    assert pixels.shape == (ROWS, COLUMNS, PIXELS_PER_CELL, 2)
    cells = one.levels["fine"].pixels_to_cells(pixels)
    torch.testing.assert_close(cells, cells.round())
    coarse = (cells / 4).floor()
    assert torch.equal(
        coarse[..., 0],
        torch.arange(COLUMNS).expand(ROWS, -1)[..., None].expand_as(coarse[..., 0]).float(),
    )
    assert torch.equal(
        coarse[..., 1], torch.arange(ROWS)[:, None, None].expand_as(coarse[..., 1]).float()
    )


def test_a_pixel_unlike_its_neighbours_is_taken():
    plain = torch.zeros(1, 2, 4 * ROWS, 4 * COLUMNS)
    plain[:, 0] = 1
    plain[0, :, 14, 21] = torch.tensor([0.0, 1.0])
    one = features(0)
    levels = {**one.levels, "fine": FeatureLevel(4, 1.5, plain)}
    chosen = distinct_pixels(DenseFeatures(levels, one.global_descriptor))[3, 5]
    assert [21 * 4 + 1.5, 14 * 4 + 1.5] in chosen.tolist()


def test_mutual_cells_are_those_of_a_search_by_hand():
    one, other = features(0).levels["coarse"], features(5).levels["coarse"]
    a, b = one.values[0].flatten(1).T, other.values[0].flatten(1).T
    by_hand = []
    for i in range(len(a)):
        j = max(range(len(b)), key=lambda j: float(a[i] @ b[j]))
        if max(range(len(a)), key=lambda k: float(a[k] @ b[j])) == i:
            by_hand.append((i, j))
    assert (
        list(zip(*(cells.tolist() for cells in mutual_cells(one, other)), strict=True)) == by_hand
    )


def test_peaks_lie_between_cells_and_are_nan_outside_of_the_image():
    size, level = 12, FeatureLevel(4, 1.5, torch.zeros(1, 1, 40, 40))
    truth = torch.tensor([5.3, 6.8])
    rows, columns = torch.meshgrid(torch.arange(12.0), torch.arange(12.0), indexing="ij")
    # The mean of a narrow bell over the cells around its highest one is its middle.
    bell = -((columns - truth[0]).square() + (rows - truth[1]).square()) / (2 * 0.5**2)
    nowhere = torch.full((size, size), -torch.inf)
    windows = Windows(torch.stack([bell, nowhere]), torch.tensor([[3, 7], [90, 90]]))
    found = peaks(windows, level)
    expected = level.cells_to_pixels(truth + torch.tensor([3.0, 7.0]))
    torch.testing.assert_close(found[0], expected, atol=0.25, rtol=0)
    assert found[1].isnan().all()
