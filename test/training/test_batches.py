from __future__ import annotations

from itertools import islice

import pytest
import torch
from training.tiny import TinySource

from dense_reloc_ros.training.batches import (
    LARGEST_SEED,
    training_batches,
    training_numbers,
    validation_batches,
)
from dense_reloc_ros.training.examples import TrainingPair


class Recording(TinySource):
    """Notes which pairs were asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.numbers: list[int] = []

    def pair(self, number: int) -> TrainingPair:
        self.numbers.append(number)
        return super().pair(number)


def test_numbers_follow_each_other_and_seeds_share_none():
    assert training_numbers(0, 0, 3) == [0, 1, 2]
    assert training_numbers(0, 5, 3) == [15, 16, 17]
    first, second = (training_numbers(seed, 1000, 64) for seed in (0, 1))
    assert not set(first) & set(second)


def test_validation_pairs_are_none_of_training():
    source = Recording()
    list(validation_batches(source, 5, 2, 0))
    assert len(set(source.numbers)) == 5
    assert min(source.numbers) > training_numbers(LARGEST_SEED, 10**7, 100)[-1]
    # Sources may multiply them within 64 bits.
    assert max(source.numbers) * 100_000 < 2**63


def test_validation_batches_have_all_pairs_once_also_the_last_few():
    sizes = [len(batch.place) for batch in validation_batches(TinySource(), 5, 2, 0)]
    assert sizes == [2, 2, 1]


@pytest.mark.parametrize("workers", [0, 2])
def test_batches_begin_anywhere_and_keep_their_order(workers):
    from_0 = list(islice(training_batches(TinySource(), 1, 0, 2, 0), 6))
    from_3 = list(islice(training_batches(TinySource(), 1, 3, 2, workers), 3))
    for (numbers, batch), (expected_numbers, expected) in zip(from_3, from_0[3:], strict=True):
        assert numbers == expected_numbers
        assert torch.equal(batch.source_image, expected.source_image)
        for image, number in enumerate(numbers):
            assert torch.equal(batch.target_pixels[image], TinySource().pair(number).target_pixels)


def test_loading_draws_no_random_numbers():
    before = torch.random.get_rng_state()
    next(training_batches(TinySource(), 0, 0, 2, 1))
    assert torch.equal(before, torch.random.get_rng_state())
