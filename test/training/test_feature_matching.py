from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from torch.nn.functional import normalize
from training.tiny import HEIGHT, WIDTH, TinySource

from dense_reloc_ros.features.extractor import DenseFeatures, FeatureLevel
from dense_reloc_ros.training.examples import PairBatch
from dense_reloc_ros.training.feature_matching import Matches, refined_best_cells

COARSE, FINE = 8, 2


def batch_of(numbers: list[int]) -> PairBatch:
    return PairBatch.batch([TinySource().pair(number) for number in numbers])


def one_hot_features(
    images: int, coarse_shift: int = 0, fine_shift: int = 0, seed: int = 0
) -> DenseFeatures:
    """Each cell has a descriptor of its own; all move to the right by some cells."""
    levels = {}
    for name, stride, offset, shift in (
        ("coarse", COARSE, 3.5, coarse_shift),
        ("fine", FINE, 0.5, fine_shift),
    ):
        height, width = HEIGHT // stride, WIDTH // stride
        values = torch.eye(height * width).view(1, height * width, height, width)
        values = values.roll(shift, dims=3).expand(images, -1, -1, -1)
        levels[name] = FeatureLevel(stride, offset, values)
    random = torch.Generator().manual_seed(seed)
    descriptors = normalize(torch.randn(images, 16, generator=random), dim=1)
    return DenseFeatures(levels, descriptors)


def on_cell_centres(batch: PairBatch) -> PairBatch:
    """All points at pixel (11.5, 11.5), a coarse cell's centre, which moves by 8 pixels."""
    source = torch.full_like(batch.source_pixels, 11.5)
    return replace(
        batch,
        source_pixels=source,
        target_pixels=source + torch.tensor([8.0, 0.0]),
        visible=torch.ones_like(batch.visible),
    )


@pytest.mark.parametrize(
    ("cells_off", "within_1", "within_2"), [(0, 1, 1), (1, 1, 1), (-2, 0, 1), (3, 0, 0)]
)
def test_coarse_matches_are_counted_by_their_distance_in_cells(cells_off, within_1, within_2):
    batch = on_cell_centres(batch_of([0, 1]))
    matches = Matches()
    target = one_hot_features(2, coarse_shift=1 + cells_off, fine_shift=4)
    matches.add(one_hot_features(2), target, batch)
    metrics = matches.metrics()
    assert metrics["coarse_1_cell"] == within_1
    assert metrics["coarse_2_cells"] == within_2


@pytest.mark.parametrize("cells_off", [0, 1, -3])
def test_fine_error_is_in_pixels(cells_off):
    batch = on_cell_centres(batch_of([0, 1]))
    # Fine cell centres lie at even pixels + 0.5: 12.5 is one.
    batch = replace(
        batch, source_pixels=batch.source_pixels + 1, target_pixels=batch.target_pixels + 1
    )
    matches = Matches()
    matches.add(one_hot_features(2), one_hot_features(2, 1, 4 + cells_off), batch)
    assert matches.metrics()["fine_median_px"] == pytest.approx(abs(cells_off) * FINE, abs=1e-4)


def test_fine_matches_far_from_the_truth_do_not_count():
    """A second, better match beyond the neighbouring coarse cells."""
    batch = on_cell_centres(batch_of([0]))
    batch = replace(
        batch, source_pixels=batch.source_pixels + 1, target_pixels=batch.target_pixels + 1
    )
    source, target = one_hot_features(1), one_hot_features(1, 1, 4)
    descriptor = source.levels["fine"].sample(batch.source_pixels[0, :1])[0]
    values = 0.5 * target.levels["fine"].values.clone()
    values[0, :, 6, 23] = descriptor
    far = replace(target.levels["fine"], values=values)
    matches = Matches()
    matches.add(
        source, DenseFeatures({**target.levels, "fine": far}, target.global_descriptor), batch
    )
    assert matches.metrics()["fine_median_px"] == pytest.approx(0.0, abs=1e-4)


def test_invisible_points_do_not_count():
    batch = on_cell_centres(batch_of([0]))
    visible = torch.zeros_like(batch.visible)
    matches = Matches()
    matches.add(one_hot_features(1), one_hot_features(1), replace(batch, visible=visible))
    metrics = matches.metrics()
    assert all(math.isnan(metrics[name]) for name in metrics if name != "place_recall")
    visible[0, 2] = True
    matches.add(one_hot_features(1), one_hot_features(1, 1, 4), replace(batch, visible=visible))
    assert len(torch.cat(matches.coarse_cells)) == 1


def test_places_are_found_among_all_pairs():
    batch = batch_of([0, 1, 2, 3])  # places 0, 1, 2, 0
    source = one_hot_features(4)
    right = source.global_descriptor
    for order, recall in (([0, 1, 2, 3], 1.0), ([3, 1, 2, 0], 1.0), ([1, 0, 2, 3], 0.5)):
        matches = Matches()
        matches.add(source, replace(source, global_descriptor=right[order]), batch)
        assert matches.metrics()["place_recall"] == recall


def test_parabola_vertex_is_exact_for_parabolas():
    truth = torch.tensor(
        [[3.3, 2.0], [1.6, 4.45]],
    )
    columns, rows = torch.arange(7.0), torch.arange(6.0)
    maps = torch.stack(
        [
            -2 * (columns - float(x))[None] ** 2 - 0.7 * (rows - float(y))[:, None] ** 2
            for x, y in truth
        ]
    )
    torch.testing.assert_close(refined_best_cells(maps), truth, atol=1e-5, rtol=0)


def test_maxima_at_borders_stay_there():
    maps = torch.zeros(2, 4, 5)
    maps[0, 0, 4] = 1.0
    maps[1, :, :] = -torch.inf
    maps[1, 2, 2] = 0.3
    assert refined_best_cells(maps).tolist() == [[4.0, 0.0], [2.0, 2.0]]
